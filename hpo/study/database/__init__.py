"""The shared database: engines, tables, migrations, roles, and transactions that survive a lost connection.

Optuna's tables lie beside ours. ``optuna_tables`` lists the parts that we use, and they are compared with the database
when it is opened. The package may import ``hpo.errors`` and ``hpo.study.records``; Optuna only inside functions, since
it takes half a second to load. Public: ``storage`` (``open_storage``, ``Storage``, ``SchemaConflict``), ``schema`` and
``roles``; the tables are for ``hpo.study``.
"""
