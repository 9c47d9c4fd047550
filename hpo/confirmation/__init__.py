"""The stage after the search: the best candidates and the baseline are trained again with fresh seeds, and judged.

It may import ``hpo.study`` (the stage is a study of its own), ``hpo.evidence`` and ``hpo.detection``; it asks
``hpo.training.measuring`` for predictions and ``hpo.tracking.weights`` for other machines' weights. Public: ``stage``,
``verdict``, ``weights`` and ``words``.
"""
