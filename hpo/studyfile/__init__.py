"""The study file: read, checked, planned and written, without any heavy library.

``loader.load_file`` goes from YAML to ``schema.StudySpec``, a frozen value; ``serialize`` goes back. Its packages:
``text`` (lines and positions), ``arguments`` (Ultralytics' arguments), ``methods`` (rows of samplers and
pruners), ``reading`` (keys to values), ``checks`` (rules
across keys), ``planning`` (what follows from a spec). It may import ``hpo.trial`` and ``hpo.errors``. ``keys`` and ``schema`` define every key, ``documents`` writes them,
``stage`` holds the plan of a confirmation, ``drafting`` a first file. Public: ``loader``, ``schema``, ``space``, ``serialize``, ``json_schema`` and ``planning``.
"""
