"""Studies as a whole: made, joined, listed, controlled and deleted, and read on one snapshot.

The package may import ``hpo.study.claims``, ``hpo.study.database`` and ``hpo.study.records``; Optuna only inside
functions, so that reading is quick. Public: all modules.
"""
