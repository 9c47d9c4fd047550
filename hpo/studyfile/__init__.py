"""The study file: read, checked, planned and written, without any heavy library.

``loader.load_file`` turns YAML into ``schema.StudySpec``, a frozen value; ``serialize`` does the reverse. The packages
are ``text`` (lines and positions), ``arguments`` (Ultralytics' arguments), ``reading`` (keys to values), ``checks``
(rules across keys) and ``planning`` (values derived from a spec). The package may import ``hpo.trial`` and
``hpo.errors``. Public: ``loader``, ``schema``, ``space``, ``serialize``, ``json_schema`` and ``planning``.
"""
