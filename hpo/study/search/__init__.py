"""From a study file to Optuna: distributions, samplers, pruners, and the trials of earlier studies.

The package may import ``hpo.study.optuna_internals``, ``hpo.study.database`` and ``hpo.studyfile``, and Optuna's public
names. Public to the rest of ``hpo.study``: ``sampling``, ``pruning`` and ``warm``.
"""
