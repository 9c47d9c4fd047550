"""The vocabulary of one trial: requests, messages, checkpoints, objectives, operating points, and the ports.

Plain frozen values with a JSON form, shared by worker and trial process. It may import ``hpo.errors`` and
``hpo.redaction`` and no heavy library at all. Public: every module.
"""
