"""Alembic's environment for our own tables; Optuna migrates its tables itself.

``versions`` holds one module for each schema version. The package may import SQLAlchemy and alembic. Each version
writes down the tables as they were then. Nothing here is public: ``hpo.study.database.schema`` runs it.
"""
