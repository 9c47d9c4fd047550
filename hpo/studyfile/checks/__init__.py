"""Rules across keys: what a study file may not ask for together, and what would have no effect.

A rule takes a whole ``StudySpec`` and returns problems. It may import ``arguments``, ``planning``, ``text``, ``schema``
and ``space`` of ``hpo.studyfile``. Public: ``rules``.
"""
