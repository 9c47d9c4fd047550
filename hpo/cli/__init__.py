"""The ``hpo`` command: options in, exit codes and printed text out.

It may import every other package; nobody imports it but ``hpo.__main__``. click and rich are imported here alone, and
heavy libraries only inside the functions that need them, so that ``hpo --help`` stays quick. Public: ``main.main``, the
entry point. The rest is for this package.
"""
