"""Claims and leases: which worker owns which trial, whether it still lives, and how far its trial has come.

Every write of a worker carries its claim's token, so that a worker that lost its claim writes nothing more. It may
import ``hpo.study.database``, ``hpo.study.records``, ``hpo.trial`` and ``hpo.errors``; no Optuna. Public to the rest of
``hpo.study``: all modules.
"""
