"""The study file: read, checked, planned and written, without any heavy library.

``loader.load_file`` goes from YAML to ``schema.StudySpec``, a frozen value; ``serialize`` goes back. Every key is
defined once, in ``schema`` with the words of ``keys``; ``documents``, ``json_schema`` and the table of keys in
docs/study-file.md follow from it. ``stage`` holds the plan of a confirmation, ``drafting`` writes a first file. Its
packages: ``text`` (lines and positions), ``arguments`` (Ultralytics' arguments), ``methods`` (rows of samplers and
pruners), ``reading`` (keys to values), ``checks`` (rules across keys), ``planning`` (what follows from a spec). It may
import ``hpo.trial``, ``hpo.files`` and ``hpo.errors``. Public: ``loader``, ``schema``, ``space``, ``serialize``,
``json_schema``, ``drafting``, ``stage`` and ``planning``.
"""
