"""Start of processes: trials as children of a preloaded forkserver, and further workers of one machine.

It passes a trial's request on unread, and no secret into its environment. It may import ``hpo.trial``, ``hpo.errors``
and ``hpo.settings``, but neither torch nor Ultralytics, which load in the child. Public:
``forkserver.ForkserverLauncher`` (a ``Launcher`` of ``hpo.trial.ports``) and ``local``.
"""
