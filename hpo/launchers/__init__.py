"""How processes are started: trials as children of a preloaded forkserver, and further workers of one machine.

It passes a trial's request on without looking into it, and lets no secret into its environment. It may import
``hpo.trial``, ``hpo.errors`` and ``hpo.settings``; neither torch nor Ultralytics, which load in the child. Public:
``forkserver.ForkserverLauncher`` (a ``Launcher`` of ``hpo.trial.ports``) and ``local``.
"""
