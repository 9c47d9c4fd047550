"""The vocabulary of one trial: requests, messages, checkpoints, objectives, operating points, and the ports.

All are plain frozen values with a JSON form, shared by the worker and the trial's process. The package may import
``hpo.errors`` and ``hpo.redaction`` and no heavy library. Public: every module.
"""
