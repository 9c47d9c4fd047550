"""Everything that uses Ultralytics beyond its public door: its trainer, validator, predictor, loaders and NMS.

It holds every patch, each named in ``registry`` with the source that it replaces; a test fails by a patch's name when
another Ultralytics has another source there. A test keeps every other package to ``from ultralytics import ...``. It
may import ``hpo.detection``, ``hpo.trial``, ``hpo.errors`` and the modules of ``hpo.training`` beside it, but neither
``child`` nor ``measuring``. All modules but ``registry`` and ``digests`` load torch and Ultralytics, so others import
them inside functions. Public to ``hpo.training`` and ``hpo.deploy``: ``yolo``, ``capture``, ``candidates``,
``predictor``, ``weights``, ``facts``, ``patches`` and ``preload``.
"""
