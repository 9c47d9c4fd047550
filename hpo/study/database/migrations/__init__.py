"""Alembic's environment for our own tables; Optuna migrates its tables itself.

``versions`` holds one module a schema version. It may import SQLAlchemy and alembic; the tables as they were are
written down in each version. Nothing here is public: ``hpo.study.database.schema`` runs it.
"""
