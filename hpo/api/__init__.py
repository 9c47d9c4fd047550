"""The Python API: use cases of a study, each a call. ``import hpo`` shows the public names (``hpo.run``, ``hpo.load``).

The command line is a client of this package: it adds options, tables and exit codes, and nothing else. Modules here may
use ``hpo.wiring`` and everything below it, but never click or rich. This file stays empty of imports, so that a command
that needs one module does not pay for the others.
"""
