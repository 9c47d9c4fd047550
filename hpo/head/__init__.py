"""A head node without Docker: PostgreSQL and MLflow's server, their passwords and backups.

It starts and stops processes, and leaves no trace but its own folder. It may import ``hpo.study``, ``hpo.tracking`` and
``hpo.settings``. Public: ``node``, ``postgres``, ``backup`` and ``passwords``.
"""
