"""Promotion of a finished study to a delivered folder: final training, measurement, model card, registry.

It may import every package but ``hpo.cli``, ``hpo.wiring`` and ``hpo.head``. torch runs only in processes that it
starts. Public: ``promote.promote``, ``choice``, ``folder`` and ``registering``.
"""
