"""Values that follow from a spec: the baseline's arguments, rungs and defaults of pruners, grids, sweeps.

All are pure functions of a ``StudySpec``. The package may import ``schema``, ``space``, ``arguments`` and ``text`` of
``hpo.studyfile``. Public: every module.
"""
