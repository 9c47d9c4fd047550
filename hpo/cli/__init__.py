"""The ``hpo`` command: it reads options, prints text and sets exit codes.

It may import every other package; only ``hpo.__main__`` imports it. Only this package imports click and rich. Heavy
libraries load inside the functions that need them, so that ``hpo --help`` stays quick. Public: ``main.main``, the entry
point. The rest is for this package.
"""
