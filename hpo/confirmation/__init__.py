"""The stage after the search: the best candidates and the baseline are trained again with fresh seeds and compared.

It may import ``hpo.study`` (the stage is a separate study), ``hpo.evidence``, ``hpo.detection`` and
``hpo.dataset``. It gets predictions from ``hpo.training.measuring`` and the weights of other machines from
``hpo.tracking.weights``. Public: ``stage``, ``verdict``, ``weights`` and ``words``.
"""
