"""Connections to PostgreSQL with the password of today: a role may get another one while a study runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import ArgumentError

from hpo.settings import storage_urls_now, with_driver

_WRONG_PASSWORD = ("authentication failed", "no password supplied")
"""Parts of the messages of PostgreSQL, libpq and PgBouncer after a wrong password; there is no error code."""


def connect(url: URL, dialect: Dialect, arguments: Any, parameters: dict[str, Any]) -> Any:
    """Connect; if the password is refused and a file has another one by now, connect with that one.

    ``parameters`` then holds it, for later connections of the same engine. libpq itself reads ~/.pgpass each time.
    """
    try:
        return dialect.connect(*arguments, **parameters)
    except dialect.loaded_dbapi.OperationalError as error:
        refused = any(sign in str(error) for sign in _WRONG_PASSWORD)
        password = _password_now(url) if refused else None
        if password is None or password == parameters.get("password"):
            raise
    parameters["password"] = password
    return dialect.connect(*arguments, **parameters)


def _password_now(url: URL) -> str | None:
    """Return the password that a file has now for this role, server and database."""
    for given in storage_urls_now():
        now = _parsed(given)
        if now is not None and now.password is not None and _login(now) == _login(url):
            return str(now.password)
    return None


def _login(url: URL) -> tuple[object, ...]:
    """Return who logs in to which database, where."""
    return url.username, url.host, url.port, url.database


def _parsed(url: str) -> URL | None:
    try:
        return make_url(with_driver(url)) if url else None
    except ArgumentError:
        return None
