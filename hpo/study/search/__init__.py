"""From a study file to Optuna: distributions, samplers, pruners, and what earlier studies teach.

It may import ``hpo.study.optuna_internals``, ``hpo.study.database`` and ``hpo.studyfile``, and Optuna's public names.
Public to the rest of ``hpo.study``: ``sampling``, ``pruning`` and ``warm``.
"""
