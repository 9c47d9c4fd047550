"""Our tables, beside Optuna's in one database.

Times are naive UTC in the columns and aware UTC in Python. JSON is stored as text: readable in every database, and
exact for values that are hashed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Dialect, Float, ForeignKey, Integer, String, Table, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from typing_extensions import override

from hpo.evidence.document import VerdictDocument
from hpo.study.database.columns import Json
from hpo.trial.operating_point import OperatingPoint, SweepResult

VERSION_TABLE = "hpo_alembic_version"
SCHEMA_VERSION = "0005"
"""The newest revision in ``migrations/versions``. The copy here lets a database open without importing alembic."""
OLDER_VERSIONS: frozenset[str] = frozenset({"0001", "0002", "0003", "0004"})
"""Revisions that ``hpo db upgrade`` can bring up to ``SCHEMA_VERSION``."""
version = sa.table(VERSION_TABLE, sa.column("version_num", String))
"""Alembic's own table with our revision; it has one row."""

_names = {kind: f"{kind}_%(table_name)s_%(column_0_N_name)s" for kind in ("ix", "uq", "fk")}
metadata = sa.MetaData(naming_convention={**_names, "pk": "pk_%(table_name)s"})


class Utc(sa.TypeDecorator[datetime]):
    """A moment: aware in Python, naive UTC in the column on every database."""

    impl = sa.DateTime
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Now(FunctionElement[datetime]):
    """The database's clock, the same for every worker; it advances within a transaction."""

    type = Utc()
    inherit_cache = True


@compiles(Now, "postgresql")
def _now_postgresql(_element: Now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "(clock_timestamp() AT TIME ZONE 'UTC')"


@compiles(Now, "sqlite")
def _now_sqlite(_element: Now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"  # milliseconds, padded to the six digits of the text


def stored_version(connection: Connection) -> str | None:
    """Return the revision of our tables; None where there are none."""
    schema = connection.dialect.default_schema_name  # not the rest of a search path, where nothing of ours is made
    if not connection.dialect.has_table(connection, VERSION_TABLE, schema=schema):
        return None
    return connection.execute(sa.select(version.c.version_num)).scalar()


def of_another_program(connection: Connection) -> str | None:
    """Return why a SQLite file without tables of ours is no place for them: it holds another program's. An Optuna
    storage may be shared, and so may the schemas of a server.
    """
    if connection.dialect.name != "sqlite":
        return None
    names = sa.inspect(connection).get_table_names()
    if not names or {VERSION_TABLE, "version_info"} & {*names}:
        return None
    return f"holds tables of another program ({', '.join(names[:3])}): name another file in HPO_STORAGE"


def _study_key() -> Column[int]:
    """Return the study's column, the first part of a table's primary key."""
    return Column("study_id", Integer, ForeignKey("hpo_studies.id"), primary_key=True)


def _numbered() -> list[Column[Any]]:
    """Return the columns of a table with a number for each row, and an index by study."""
    study = Column("study_id", Integer, ForeignKey("hpo_studies.id"), nullable=False, index=True)
    return [Column("id", Integer, primary_key=True), study]


def _event() -> list[Column[Any]]:
    """Return the columns that events in a study have in common: when, and by whom."""
    return [*_numbered(), *_required(Utc, "at"), *_required(String(255), "by")]


def _required(kind: Any, *names: str) -> list[Column[Any]]:
    """Return columns of one type that are never null."""
    return [Column(name, kind, nullable=False) for name in names]


studies = Table(
    "hpo_studies",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="Optuna's study_id"),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("spec", Text, nullable=False, comment="canonical JSON"),
    *_required(String(64), "spec_sha256", "data_fingerprint", "model_sha256"),
    Column("facts", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("mlflow_experiment_id", String(64)),
    Column("budget_trials", Integer, comment="as in spec, to be counted against without reading it"),
    Column("budget_hours", Float(53)),
    Column("control", String(16), nullable=False, server_default="run", comment="run, pause, stop or cancel"),
    Column("control_reason", Text, nullable=False, server_default=""),
)

claims = Table(
    "hpo_claims",
    metadata,
    _study_key(),
    Column("ordinal", Integer, primary_key=True, comment="position of the proposal, from 0; a retry keeps it"),
    Column("token", String(36), unique=True, comment="of the attempt that owns the ordinal; null while nobody does"),
    Column("number", Integer, comment="Optuna's number of the newest trial; null until one was asked"),
    Column("attempt", Integer, nullable=False, comment="attempts admitted so far"),
    Column("retries", Integer, nullable=False, comment="retries used so far"),
    Column("worker", String(255)),
    Column("claimed_at", Utc, nullable=False),
    Column("open", sa.Boolean, nullable=False, server_default=sa.true(), comment="until its counting trial is told"),
    Column("worker_id", Integer, comment="life of the worker that owns the token"),
    Column("beat", Integer, nullable=False, server_default="0", comment="of the lease; grows while its owner lives"),
    Column("beat_at", Utc, comment="by the database's clock"),
    sa.Index(None, "study_id", "open"),
)

trials = Table(
    "hpo_trials",
    metadata,
    _study_key(),
    Column("number", Integer, primary_key=True, comment="Optuna's number"),
    Column("ordinal", Integer, nullable=False),
    Column("baseline", sa.Boolean, nullable=False),
    *_required(Json, "params", "train"),
    Column("operating_point", Json(OperatingPoint)),
    Column("sweep", Json(SweepResult), comment="all that a sweep found"),
    Column("reason", String(16)),
    Column("detail", Text, nullable=False),
    Column("counts", sa.Boolean, nullable=False),
    Column("value", Float(53)),
    Column("metrics", Json, nullable=False),
    Column("epochs", Integer, nullable=False),
    Column("best_epoch", Integer),
    Column("mlflow_run_id", String(64)),
    Column("recorded_at", Utc, comment="of the outcome; null until the trial ended"),
)

attempts = Table(
    "hpo_attempts",
    metadata,
    Column("token", String(36), primary_key=True),
    Column("study_id", Integer, ForeignKey("hpo_studies.id"), nullable=False),
    *_required(Integer, "number", "ordinal"),
    Column("attempt", Integer, nullable=False, comment="from 1, over all attempts at the ordinal"),
    *_required(String(255), "worker", "host"),
    Column("pid", Integer, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("reason", String(16)),
    *_required(Text, "detail", "folder"),
    Column("effective", Json, nullable=False),
    Column("resumed_from", Integer, nullable=False, comment="epochs taken over from a checkpoint"),
    Column("checkpoint_epoch", Integer, nullable=False),
    Column("checkpoint_path", Text),
    Column("device", String(32), nullable=False, server_default=""),
    Column("slot", Integer, nullable=False, server_default="0"),
    Column("uploads", Json, nullable=False, server_default="[]", comment="checkpoints in the artifact store, whole"),
    Column("peak_mib", Integer, comment="most memory that was seen; null before any was reported"),
    sa.UniqueConstraint("study_id", "ordinal", "attempt"),
    sa.Index(None, "study_id", "number"),
)

epochs = Table(
    "hpo_epochs",
    metadata,
    _study_key(),
    Column("number", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True, comment="from 1"),
    Column("objective", Float(53), comment="null stands for a value that is not finite"),
    Column("metrics", Json, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("recorded_at", Utc, nullable=False),
)

workers = Table(
    "hpo_workers",
    metadata,
    *_numbered(),
    *_required(String(255), "worker", "host"),
    Column("pid", Integer, nullable=False),
    *_required(Utc, "started_at", "seen_at"),
    Column("ended_at", Utc),
    Column(
        "process", String(255), nullable=False, server_default="", comment="of which its machine can say: it is gone"
    ),
    Column("slots", Json, nullable=False, server_default="[]", comment="device of each"),
    Column("failure", Text, nullable=False, server_default="", comment="why it takes no more trials"),
)

live = Table(
    "hpo_live",
    metadata,
    _study_key(),
    Column("seconds", Float(53), nullable=False, comment="with at least one live worker"),
    Column("seen_at", Utc, comment="when they last grew, by the database's clock"),
)

changes = Table(
    "hpo_changes",
    metadata,
    *_event(),
    Column("key", String(64), nullable=False, comment="control, budget.trials or budget.hours"),
    Column("before", Json),
    Column("after", Json),
)
"""Changes of a stored study, with their author."""

looks = Table(
    "hpo_looks",
    metadata,
    *_event(),
    Column("split", String(16), nullable=False),
    Column("weights", String(64), comment="sha256 of those that were promoted"),
)
"""Looks at a split of the data, each noted before it was taken."""

verdicts = Table("hpo_verdicts", metadata, *_event(), Column("document", Json(VerdictDocument), nullable=False))
"""Results of confirmation stages."""

for _table in metadata.sorted_tables:
    for _column in _table.columns:
        if isinstance(_column.type, Json):
            _column.type = Json(_column.type.of, f"{_table.name}.{_column.name}")
