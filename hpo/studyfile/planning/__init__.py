"""What follows from a spec: the baseline's arguments, rungs and defaults of pruners, grids, sweeps.

Pure functions of a ``StudySpec``. It may import ``schema``, ``space``, ``arguments`` and ``text`` of ``hpo.studyfile``.
Public: every module.
"""
