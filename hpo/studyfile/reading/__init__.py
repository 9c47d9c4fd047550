"""From the keys of a study file to values, with every problem collected instead of the first one raised.

It may import the other packages of ``hpo.studyfile``, of ``checks`` only the rules. Public: ``reader``, ``methods``,
``models`` and ``compose``.
"""
