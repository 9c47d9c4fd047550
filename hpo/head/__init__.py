"""A head node without Docker: PostgreSQL and MLflow's server, their passwords and backups.

It starts and stops processes, and writes only to its own folder. It may import ``hpo.study``, ``hpo.tracking`` and
``hpo.settings``. Public: ``node``, ``postgres``, ``backup`` and ``passwords``.
"""
