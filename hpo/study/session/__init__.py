"""One worker's session on a study: trials are admitted, proposed, recorded, ended, and taken over from the dead.

Each step is one transaction that carries the claim's token. It may import every other package of ``hpo.study`` but
``plots``. Public: ``worker_session.WorkerSession`` and the values that it takes and returns; the other modules are its
parts.
"""
