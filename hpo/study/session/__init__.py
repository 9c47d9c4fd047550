"""One worker's session on a study: it admits, proposes, records and ends trials, and takes over those of dead workers.

Each step is one transaction that carries the claim's token. The package may import every other package of ``hpo.study``
except ``plots``. Public: ``worker_session.WorkerSession`` and the values that it takes and returns; the other modules
are its parts.
"""
