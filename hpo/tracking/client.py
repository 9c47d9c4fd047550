"""The connection to MLflow. The library loads here, inside a function: it costs 1.5 s of CPU."""

from __future__ import annotations

import importlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from hpo import redaction, urls
from hpo.errors import HpoError, StorageUnavailable
from hpo.settings import sqlite_path

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # One retry and 10 s instead of seven and 120 s: the callers have their own backoff. With MLflow's defaults a single
    # call blocks for four minutes when the server is down.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # MLflow prints a line to stdout at the end of each run; stdout is for a command's result.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_DOWN = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "UNAUTHENTICATED", "PERMISSION_DENIED"}
"""Codes of MlflowException that concern the server, not the request."""


def connect(tracking_uri: str) -> Any:
    """Return an ``MlflowClient`` for ``tracking_uri``; create a SQLite store if it is missing (1 s, its migrations).

    Raises StorageUnavailable if the store can't be opened. An HTTP server is contacted only by the first call.
    """
    _load()
    path = sqlite_path(tracking_uri)
    with reaching(tracking_uri):
        if path is None:
            return _open(tracking_uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        # MLflow 3.17 would make the URL's folder again without decoding %41 in its name, as an empty folder elsewhere
        setattr(importlib.import_module("mlflow.store.db.utils"), "_make_parent_dirs_if_sqlite", lambda _uri: None)  # noqa: B010
        # Two processes that migrate an empty store at once break each other (3.17 locks at a server's start only).
        with FileLock(f"{path}.lock"):
            if not path.exists():
                _set_wal(path)
            return _open(tracking_uri)


@contextmanager
def reaching(tracking_uri: str) -> Iterator[None]:
    """Translate MLflow's errors: StorageUnavailable while it is down, HpoError if it refuses a request."""
    _load()
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code in _DOWN:
            raise _unavailable(tracking_uri, error) from error
        raise HpoError(
            f"MLflow at {urls.masked(tracking_uri)} refuses what the database holds: {redaction.redact(str(error))}\n"
            "delete that run in MLflow; `hpo sync STUDY` makes it anew"
        ) from error
    except OSError as error:  # requests' errors too
        raise _unavailable(tracking_uri, error) from error


@contextmanager
def passing_over(*codes: str) -> Iterator[None]:
    """End the block without an error if MLflow refuses a call with one of ``codes``."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in codes:
            raise


def _load() -> None:
    """Import MLflow with the environment variables that it needs; the user's own settings stay."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    importlib.import_module("mlflow")
    # Failures are raised, and the caller reports them once; MLflow would print a trace for every try.
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def _open(tracking_uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    try:
        return MlflowClient(tracking_uri=tracking_uri)
    except Exception as error:
        # SQLAlchemy's errors pass through unchanged here; only hpo.study may import SQLAlchemy.
        raise _unavailable(tracking_uri, error) from error


def _unavailable(tracking_uri: str, error: Exception) -> StorageUnavailable:
    said = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return StorageUnavailable(
        f"MLflow at {urls.masked(tracking_uri)}: {redaction.redact(said)}\n"
        "nothing is lost: the database has it all, and `hpo sync STUDY` writes it to MLflow when it is back "
        "(MLFLOW_TRACKING_URI names another place)"
    )


def _set_wal(path: Path) -> None:
    """Set WAL mode, so that the UI can read while a worker writes; the mode stays with the file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def repository(place: str, tracking_uri: str) -> Any:
    """Return MLflow's repository of the artifacts below ``place``, for what its client has no call for (3.17)."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(place, tracking_uri=tracking_uri)
