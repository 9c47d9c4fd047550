"""Facts of a dataset, read without a framework: its images, labels, classes, problems and fingerprint.

The rules are those of Ultralytics, and tests compare the results; but neither it nor torch is imported. It may import
only ``hpo.errors``, ``hpo.trial`` and ``hpo.yamlfile``. Public: ``description`` (``describe``, ``write_resolved``),
``summary``, ``difference``, ``manifest``, ``boxes``, ``decoding`` (one image), ``decoders`` (many), ``findings``,
``copies`` (exact and near ones), ``repair`` and ``digits``, the demo set.
"""
