"""The shared database: opened, checked, and called with retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, Executable, exc, make_url

from hpo import retry
from hpo.errors import StorageUnavailable, StudyConflict, UsageError
from hpo.retry import Backoff
from hpo.settings import with_driver
from hpo.study.database import damage, disks, engines, failures, locks, node_keys, optuna_version, pooler
from hpo.study.database.tables import OLDER_VERSIONS, SCHEMA_VERSION, of_another_program, stored_version
from hpo.trial.paths import here

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

T = TypeVar("T")
_BACKOFF = Backoff(first_s=0.1, longest_s=1.6, factor=4, tries=4)
_ONCE = replace(_BACKOFF, tries=1)


class SchemaConflict(StudyConflict):
    """The database was made by another version of this service."""

    def __init__(self, message: str) -> None:
        self.study = ""
        self.differences = (message,)
        Exception.__init__(self, message)


class NotPermitted(UsageError):
    """The role may not do that, or not with this row."""


class Storage:
    """Connections to one database; a context manager. Only ``open_storage`` makes one."""

    def __init__(self, url: URL, lease_s: float = engines.LEASE_S, home: Path | None = None) -> None:
        self.url = url
        self.home = home
        """HPO_HOME of this process: files of attempts are looked for below it first. None: only where they were."""
        self._key = node_keys.of_home(None if engines.is_sqlite(url) else home)
        self.engine = engines.writer(url, lease_s, self._key)
        """Engine for transactions that write; on SQLite each takes the write lock when it begins."""
        self.reader = engines.reader(self.engine)
        self._single = engines.single(self.engine)
        self._beats = engines.for_beats(self.engine, lease_s, self._key)

    @property
    def place(self) -> str:
        """Return the URL in a form for people, without its password."""
        return failures.shown(self.url)

    def here(self, path: str, token: str) -> str:
        """Return the path of an attempt's folder or file on this machine; see ``hpo.trial.paths.here``."""
        return here(path, token, self.home)

    def new_token(self) -> str:
        """Return a new token, with which the sessions of this storage, and of its home, own a claim."""
        return node_keys.token(self._key)

    @cached_property
    def optuna(self) -> RDBStorage:
        """Return Optuna's storage on the same database. It costs 0.4 s with its imports, so only writers open it."""
        from hpo.study.database.optuna_storage import open_rdb

        return self.patiently(lambda: open_rdb(self.engine, create_tables=False))

    def read(self, action: Callable[[Connection], T], *, study: str = "") -> T:
        """Run ``action`` in a transaction with one snapshot. Raises ``StorageUnavailable``, also where a row is
        damaged; then it names ``study``.
        """

        def transaction() -> T:
            with self.reader.connect() as connection, damage.told(self.place, study):
                return action(connection)

        return self.patiently(transaction)

    def write(self, action: Callable[[Connection], T], *, single: bool = False) -> T:
        """Run ``action`` in a transaction and commit it. It may run again after a lost connection.

        ``single``: on PostgreSQL the action is one statement. Raises ``StorageUnavailable``.
        """
        return self.patiently(partial(self._transaction, self._single if single else self.engine, action))

    def beat(self, action: Callable[[Connection], T]) -> T:
        """Run ``action`` like ``write``, on the connection kept for signs of life, and raise at the first error."""
        return self.patiently(partial(self._transaction, self._beats, action), _ONCE)

    def _transaction(self, engine: Engine, action: Callable[[Connection], T]) -> T:
        with _permitted(self.url), engine.connect() as connection:
            if engine is self._single and pooler.is_between(connection):
                connection.execution_options(isolation_level="READ COMMITTED")  # its key lasts for a transaction
            with connection.begin():
                return action(connection)

    def execute(self, statement: Executable) -> None:
        """Run one statement that writes, in a transaction of its own; see ``write``."""
        self.write(lambda connection: connection.execute(statement))

    def call_optuna(self, action: Callable[[RDBStorage], T]) -> T:
        """Run ``action`` on Optuna's storage; it may run again after a lost connection. Raises
        ``StorageUnavailable``.
        """
        from hpo.study.database.optuna_storage import database_errors

        def call() -> T:
            with database_errors():
                return action(self.optuna)

        return self.patiently(call)

    def patiently(self, call: Callable[[], T], backoff: Backoff = _BACKOFF) -> T:
        """Retry ``call`` after a temporary error; raises ``StorageUnavailable`` when the error stays."""
        try:
            return retry.call(call, backoff, again=partial(failures.may_pass_soon, self.url))
        except (exc.DBAPIError, exc.TimeoutError) as error:
            if "not a database" in str(getattr(error, "orig", "")):
                way_out = "name another file in HPO_STORAGE or HPO_HOME, or restore this one from a backup"
                raise UsageError(f"{self.place}: is no SQLite database: {way_out}") from error
            if isinstance(error, exc.DBAPIError) and engines.is_sqlite(self.url) and damage.is_of_file(error):
                said = f"{self.place}: {failures.first_line(error)}: {damage.WAY_OUT}"
                raise StorageUnavailable(said, lasting=True) from error
            if not failures.may_pass(error):
                raise
            raise failures.unavailable(self.url, self.place, error, self._holders(error)) from error

    def _holders(self, error: failures.Failure) -> str:
        """Return who holds the locks that ``error`` is about, for people."""
        if failures.sqlstate(error) != locks.TIMED_OUT:
            return ""
        try:
            with self.reader.connect() as connection:
                return locks.holders(connection)
        except (exc.DBAPIError, exc.TimeoutError):
            return ""  # the error is told without them

    def close(self) -> None:
        if "optuna" in self.__dict__:
            self.optuna.remove_session()
        for engine in (self._beats, self.reader, self.engine):
            engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_storage(
    url: str, *, create: bool, upgrade: bool = False, lease_s: float = engines.LEASE_S, home: Path | None = None
) -> Storage:
    """Open the database at ``url`` (SQLAlchemy's form; SQLite files and PostgreSQL).

    With ``create``, a missing SQLite file and missing tables are made first, even if several processes do so at once;
    without it they are a ``UsageError``. Older tables are upgraded with ``upgrade`` alone: that can't be undone, so a
    person decides it. Raises ``SchemaConflict`` for tables of another version, ours or Optuna's, and
    ``StorageUnavailable`` when the database can't be reached. ``lease_s`` is the length of a lease in seconds; the time
    limits of connections follow it. ``home`` is HPO_HOME.
    """
    parsed = _parse(url)
    if engines.is_sqlite(parsed):
        path = Path(str(parsed.database))
        if create:
            disks.refuse_network_disk(url)
            disks.make_folder(path.parent, failures.shown(parsed))
        elif not path.exists():
            raise _nothing_there(parsed)
    storage = Storage(parsed, lease_s, home)
    try:
        _check_schema(storage, create=create, upgrade=upgrade)
    except BaseException:
        storage.close()
        raise
    return storage


def version_at(url: str) -> str | None:
    """Return the revision of the tables at ``url``; None where there are none. Raises ``StorageUnavailable``."""
    parsed = _parse(url)
    if engines.is_sqlite(parsed) and not Path(str(parsed.database)).exists():
        return None
    with Storage(parsed) as storage:
        return storage.read(stored_version)


def connect(url: str) -> Storage:
    """Open the database at ``url``, whatever tables it holds."""
    return Storage(_parse(url))


def shown(url: str) -> str:
    """Return ``url`` without its password."""
    return failures.shown(_parse(url))


def _state(connection: Connection) -> tuple[str | None, str | None]:
    """Return the revision of our tables, and, if it is the current one, any problem with Optuna or its tables."""
    version = stored_version(connection)
    if version != SCHEMA_VERSION:
        return version, None
    return version, optuna_version.wrong_release() or optuna_version.wrong_columns(connection)


def _check_schema(storage: Storage, *, create: bool, upgrade: bool) -> None:
    if create and storage.url.query.get("options"):
        from hpo.study.database.schema import ensure_schema

        with _permitted(storage.url):
            storage.patiently(lambda: ensure_schema(storage.engine))
    version, wrong = storage.read(_state)
    if version == SCHEMA_VERSION:
        if wrong:
            raise SchemaConflict(f"{storage.place}: {wrong}")
        return
    stored = f"{storage.place}: the tables are of schema version {version}, this hpo"
    if version is not None and version not in OLDER_VERSIONS:
        raise SchemaConflict(f"{stored} knows {SCHEMA_VERSION}: update hpo, or name another database with HPO_STORAGE")
    if create if version is None else upgrade:
        foreign = storage.read(of_another_program) if version is None else None
        if foreign:
            raise UsageError(f"{storage.place}: {foreign}")
        _upgrade(storage)
    elif version is None:
        raise _nothing_there(storage.url)
    else:
        raise SchemaConflict(f"{stored} needs {SCHEMA_VERSION}: back the database up, then run `hpo db upgrade`")


def _upgrade(storage: Storage) -> None:
    from hpo.study.database.schema import upgrade

    wrong = optuna_version.wrong_release()
    if wrong:
        raise SchemaConflict(f"{storage.place}: {wrong}")
    try:
        with _permitted(storage.url):
            storage.patiently(lambda: upgrade(storage.engine))
    except RuntimeError as error:
        raise SchemaConflict(f"{storage.place}: {error}") from error


@contextmanager
def _permitted(url: URL) -> Iterator[None]:
    """Turn a missing right into an error that tells the user to choose another role."""
    try:
        yield
    except exc.ProgrammingError as error:
        if failures.sqlstate(error) != failures.NO_RIGHT:
            raise
        raise NotPermitted(
            f"{failures.shown(url)}: {failures.first_line(error)}: the role {url.username!r} may not do that; "
            "name the owner in HPO_STORAGE (tables are made by `hpo db init`, studies deleted by their owner)"
        ) from error


def _parse(url: str) -> URL:
    try:
        parsed = make_url(with_driver(url))
        backend = parsed.get_backend_name()
        parsed.get_dialect().import_dbapi()
        if parsed.port is not None and not 0 < parsed.port < 1 << 16:
            raise UsageError(f"HPO_STORAGE: no server listens on port {parsed.port}: name one from 1 to 65535")
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError, ValueError) as error:
        way_out = "pip install 'hpo[postgres]'" if "psycopg" in str(error) else "use sqlite:///FILE or postgresql://..."
        raise UsageError(f"HPO_STORAGE: no database can be opened by this URL: {way_out}") from error
    if backend not in ("sqlite", "postgresql"):
        raise UsageError(f"HPO_STORAGE: {backend} is not supported: use sqlite:///FILE or postgresql://...")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise UsageError("HPO_STORAGE: a database in memory can't be shared: use sqlite:///FILE")
    return parsed


def _nothing_there(url: URL) -> UsageError:
    return UsageError(f"{failures.shown(url)}: no study yet: `hpo run FILE` makes one")
