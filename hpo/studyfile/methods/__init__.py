"""Samplers and pruners by their short names, one row each, as plain data.

``hpo.study.search`` builds them under the same keys; nothing here imports Optuna, so that a study file is checked
without it. A test compares the rows with the installed classes.
"""
