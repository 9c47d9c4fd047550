"""Every use of Ultralytics beyond its public interface: its trainer, validator, predictor, loaders and NMS.

The package holds every patch. The tests have a registry of them, each with a digest of the source that it replaces, and
a test fails by the patch's name when another Ultralytics has another source there. Another test keeps every other
package to ``from ultralytics import ...``. The package may import ``hpo.detection``, ``hpo.trial``, ``hpo.errors`` and
the modules of ``hpo.training`` beside it, but neither ``child`` nor ``measuring``. Its modules load torch and
Ultralytics, so others import them inside functions. Public to ``hpo.training`` and ``hpo.deploy``: ``yolo``,
``capture``, ``candidates``, ``predictor``, ``weights``, ``facts``, ``patches`` and ``preload``.
"""
