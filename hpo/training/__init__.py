"""Trainings and inference: a trial's process, and processes that inspect weights, export them and measure them.

Only this package imports Ultralytics, torch and torchvision, and they load only in processes made for them. Only
``ultralytics_internals`` uses Ultralytics' internals. The package may import ``hpo.detection``, ``hpo.dataset``,
``hpo.studyfile``, ``hpo.trial``, ``hpo.settings`` and ``hpo.errors``; it knows no database. Public: ``child.main`` (a
trial's process), ``probe``, ``weights_process`` (by command line), ``environment``, ``cache`` and ``measuring``.
"""
