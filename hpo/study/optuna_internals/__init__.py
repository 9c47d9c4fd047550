"""Every use of what Optuna keeps private: names, attributes, rows and their columns.

Samplers and pruners come through ``substitutes``, which falls back to Optuna's public classes where a private name is
missing. Rows are read and written in ``optuna_rows``, ``optuna_trials`` and ``history``, which refuse with a message. A
test keeps private names out of every other package. The package may import ``hpo.study.database``,
``hpo.study.records`` and what lies below ``hpo.study``. Public to the rest of ``hpo.study``: ``substitutes``,
``history``, ``attributes``, ``optuna_rows`` and ``optuna_trials``.
"""
