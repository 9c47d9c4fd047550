"""A worker: it takes trials from the study, has them trained, and stores their results.

It owns slots and devices, pruning, giving trials back at the end of an epoch, uploads and clean-up. It may import
``hpo.study`` and what lies below. It reaches trainings, launchers and MLflow through the protocols of
``hpo.trial.ports``. Public: ``worker``, ``stop``, ``slots`` and what ``hpo.wiring`` puts together.
"""
