"""The value of trained weights: predictions of a split, their sweep, its files, and the check of what is handed over.

The package may import ``hpo.training.ultralytics_internals`` inside functions, the modules of ``hpo.training`` beside
it except ``child``, ``hpo.detection``, ``hpo.dataset``, ``hpo.studyfile`` and what lies below. Public: ``predictions``
(``captured``), ``swept``, ``sweep_files`` and ``verifying``.
"""
