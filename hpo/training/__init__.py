"""Trainings and inference: the process of a trial, and processes that look at weights, export and measure them.

Ultralytics, torch and torchvision are imported here alone, and load only in processes made for them. Ultralytics'
internals are used in ``ultralytics_internals`` alone. It may import ``hpo.detection``, ``hpo.dataset``,
``hpo.studyfile``, ``hpo.trial``, ``hpo.settings`` and ``hpo.errors``; it knows no database. Public: ``child.main`` (a
trial's process), ``probe``, ``weights_process`` (by command line), ``environment``, ``cache`` and ``measuring``.
"""
