"""Samplers and pruners by their short names, one row for each, as plain data.

``hpo.study.search`` builds them under the same keys. Nothing here imports Optuna, so that a study file is checked
without it. A test compares the rows with the installed classes.
"""
