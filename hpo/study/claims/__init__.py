"""Claims and leases: which worker owns which trial, whether the worker still lives, and how far its trial has come.

Every write of a worker carries its claim's token, so a worker that lost its claim can write nothing more. The package
may import ``hpo.study.database``, ``hpo.study.records``, ``hpo.trial`` and ``hpo.errors``; no Optuna. Public to the
rest of ``hpo.study``: all modules.
"""
