"""The shared database: engines, tables, migrations, roles, and transactions that survive a lost connection.

Optuna's tables lie beside ours; what is known of them stands in ``optuna_tables``, and is compared with the database
when it is opened. It may import ``hpo.errors`` and ``hpo.study.records``; Optuna only inside functions, since it takes
half a second to load. Public: ``storage`` (``open_storage``, ``Storage``, ``SchemaConflict``), ``schema`` and
``roles``; the tables are for ``hpo.study``.
"""
