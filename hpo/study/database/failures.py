"""Errors of the database: whether they pass, and whether it helps to wait."""

from __future__ import annotations

from sqlalchemy import URL, exc
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from hpo import redaction, urls
from hpo.errors import StorageUnavailable

Failure = DBAPIError | exc.TimeoutError
"""Error of the database or its driver; or no connection was free in time."""

NO_RIGHT = "42501"
"""PostgreSQL's error code for a statement that the role may not run."""
READ_ONLY = "25006"
"""PostgreSQL's error code for a write to a database that only reads: after a failover, or by its settings."""
_NOT_SOON = ("disk is full", "readonly database", "unable to open", "not a database", "malformed", "No space left")
_REFUSED = (
    "authentication failed",
    "does not exist",
    "no password supplied",
    "no pg_hba.conf entry",
    "not permitted to log in",
    "permission denied for database",
    "no such user",  # these two are PgBouncer's
    "no such database",
)
"""Parts of messages that refuse a connection for good. A refused connection has no error code, only a message."""


def shown(url: URL) -> str:
    """Return the URL for people: without its passwords."""
    return urls.masked(url.render_as_string(hide_password=False))


def first_line(error: Failure) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()[0]


def may_pass(error: Failure) -> bool:
    """Return whether the error is temporary: the connection failed, not the statement.

    One such case is a connection that PostgreSQL ended because this process was stopped inside a transaction for too
    long (psycopg reports an InternalError).
    """
    if isinstance(error, exc.TimeoutError):
        return True
    return isinstance(error, (exc.OperationalError, exc.InterfaceError)) or error.connection_invalidated


def may_pass_soon(url: URL, error: BaseException) -> bool:
    """Return whether an immediate retry may help; on SQLite that is so only after a held lock."""
    if not isinstance(error, DBAPIError) or not may_pass(error):
        return False
    said = str(error.orig)
    if url.get_backend_name() == "sqlite":
        return _is_locked(error)
    return not any(sign in said for sign in (*_NOT_SOON, *_REFUSED)) and sqlstate(error) != READ_ONLY


def unavailable(url: URL, place: str, error: Failure, holders: str = "") -> StorageUnavailable:
    """Return the error for people, without the password. ``place`` is the URL without it; ``holders`` of locks."""
    redaction.remember_url(url.render_as_string(hide_password=False))
    said = redaction.redact(first_line(error))
    if url.get_backend_name() == "sqlite":
        lasting, way_out = not _is_locked(error), "run the same command again when it is back"
    elif holders:
        lasting = False
        said = f"{said}: locks are held by {holders}"
        way_out = "end that session (SELECT pg_terminate_backend(PID), as the owner), and run the same command again"
    elif any(sign in said for sign in _REFUSED):
        lasting, way_out = True, "run the same command again with the right user, password and database in HPO_STORAGE"
    else:
        lasting, way_out = False, "run the same command again when it is back"
    return StorageUnavailable(f"{place}: {said}; nothing is lost: {way_out}", lasting=lasting)


def sqlstate(error: BaseException | None) -> str | None:
    """Return PostgreSQL's code of an error of SQLAlchemy or of the driver."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def leave_read_only(context: ExceptionContext) -> None:
    """Drop the connection on which a write was refused because the database only reads.

    A connection keeps the setting that it began with, so the next one may be able to write again. SQLAlchemy calls this
    for each error.
    """
    if sqlstate(context.original_exception) == READ_ONLY:
        context.is_disconnect = True


def _is_locked(error: Failure) -> bool:
    said = first_line(error)
    return "locked" in said or "busy" in said
