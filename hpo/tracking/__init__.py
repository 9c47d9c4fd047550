"""MLflow as a projection of the database: what it shows can be made again at any time.

MLflow is imported here alone, and inside functions, for it takes a second and a half to load. It may import
``hpo.study`` and what lies below. Public: ``projection``, ``thread``, ``registry``, ``checkpoints``, ``weights`` and
``ui``.
"""
