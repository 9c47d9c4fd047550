"""What a dataset is, read without a framework: its images, labels, classes, problems and fingerprint.

The rules are those of Ultralytics, and tests compare the answers; but neither it nor torch is imported. It may import
``hpo.errors`` and ``hpo.trial`` alone. Public: ``description`` (``describe``, ``write_resolved``), ``summary``,
``difference``, ``boxes`` and ``digits``, the demo set.
"""
