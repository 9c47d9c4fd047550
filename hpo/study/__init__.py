"""A study in the shared database: its search, its trials, the claims on them, and what people change in it.

Only this package imports Optuna, SQLAlchemy and alembic. It has floors, and each may import those before it:
``records`` and ``database``; ``claims`` and ``optuna_internals``; ``search`` and ``studies``; ``session`` and
``plots``. It may import ``hpo.studyfile``, ``hpo.trial`` and ``hpo.errors``. Public: ``records``, ``studies``,
``database.storage.open_storage`` and ``session.worker_session.WorkerSession``.
"""
