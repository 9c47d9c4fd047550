"""Plots of a study, and the importance of each parameter, both by Optuna's own functions.

The package may import ``hpo.study.search`` and ``hpo.study.records``, and Optuna's public names. Public: ``plots``,
``drawing`` and ``importance``.
"""
