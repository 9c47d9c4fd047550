"""Pictures of a study, and how much each parameter matters, by Optuna's own means.

It may import ``hpo.study.search`` and ``hpo.study.records``, and Optuna's public names. Public: ``plots``, ``drawing``
and ``importance``.
"""
