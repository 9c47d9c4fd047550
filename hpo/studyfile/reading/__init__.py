"""The way from the keys of a study file to values; it collects every problem instead of raising the first one.

The package may import the other packages of ``hpo.studyfile``, of ``checks`` only the rules. Public: ``reader``,
``methods`` (the tables of samplers and pruners), ``models`` and ``compose``.
"""
