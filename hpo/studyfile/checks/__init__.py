"""Rules across keys: combinations that a study file may not ask for, and settings that would have no effect.

A rule takes a whole ``StudySpec`` and returns problems. The package may import ``arguments``, ``planning``, ``text``,
``schema`` and ``space`` of ``hpo.studyfile``. Public: ``rules`` and ``model``.
"""
