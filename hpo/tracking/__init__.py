"""MLflow as a projection of the database: what it shows can be rebuilt at any time.

Only this package imports MLflow, and only inside functions, because MLflow takes 1.5 s to load. It may import
``hpo.study`` and the packages below it. Public: ``projection``, ``thread``, ``registry``, ``checkpoints``, ``weights``
and ``ui``.
"""
