"""A worker: it takes trials from the study, has them trained, and writes down what they say.

It owns slots and devices, pruning and giving back at an epoch's end, uploads and cleaning up. It may import
``hpo.study`` and what lies below; trainings, launchers and MLflow are reached through the protocols of
``hpo.trial.ports``. Public: ``worker``, ``stop``, ``slots`` and what ``hpo.wiring`` puts together.
"""
