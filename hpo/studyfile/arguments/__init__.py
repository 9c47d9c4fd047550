"""Ultralytics' training arguments: names, kinds and bounds, without importing Ultralytics.

The package may import ``hpo.trial`` and ``hpo.errors``. Public: ``arguments`` and ``values``; tests compare them with
Ultralytics.
"""
