"""MLflow's own web pages, served on this machine while the command runs."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen, TimeoutExpired

from hpo.errors import HpoError
from hpo.processes import NO_FOLDER_OF_ITS_OWN, python_command
from hpo.servers import Address, Starting, check_free, tail
from hpo.settings import Settings, sqlite_path, sqlite_url
from hpo.tracking import view

START_S = 180.0
"""Seconds. A first start compiles and imports for half a minute on two slow cores."""
_STOP_S = 10.0
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # The job API executes what is sent to it (the class of CVE-2026-0545), and its workers take 3 GiB.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


def is_server(tracking_uri: str) -> bool:
    """Return whether MLflow runs as a server already, so that nothing needs to be served."""
    return urllib.parse.urlsplit(tracking_uri).scheme in {"http", "https"}


def without_credentials(uri: str) -> str:
    """Return an HTTP address without its credentials, to print and to open."""
    parts = urllib.parse.urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def page(base: str, experiment_id: str | None) -> str:
    """Return the URL of an experiment's prepared view, or of the list of experiments if MLflow lacks it."""
    if experiment_id is None or not _holds(base, experiment_id):
        return f"{base.rstrip('/')}/#/experiments"
    return f"{base.rstrip('/')}/{view.address(experiment_id)}"


def is_view(url: str) -> bool:
    """Return whether ``page`` found the study."""
    return view.VIEW_KEY in url


def serve(settings: Settings, address: Address, ready: Callable[[str], None]) -> None:
    """Serve the store of ``settings`` until the process is asked to end (Ctrl-C, SIGTERM).

    Calls ``ready`` with the base URL once MLflow answers. Raises UsageError if the port is taken.
    """
    with _until_asked_to_end(), server(settings, address) as process:
        ready(address.url)
        process.wait()
        raise HpoError(f"MLflow's server ended with code {process.returncode}:\n{tail(_log(settings))}")


@contextmanager
def server(settings: Settings, address: Address, variables: Mapping[str, str] | None = None) -> Iterator[Popen[bytes]]:
    """Run an ``mlflow server`` until the block ends; it has answered, and its children end with it.

    ``variables`` are environment variables for the server only.
    """
    check_free(address, "hpo ui --port")
    log = _log(settings)
    log.parent.mkdir(parents=True, exist_ok=True)
    uri, folder = _store(settings)
    env = {**os.environ, **_ENVIRONMENT, **NO_FOLDER_OF_ITS_OWN, **(variables or {}), "MLFLOW_BACKEND_STORE_URI": uri}
    command = _command(settings, address)
    with log.open("wb") as output:
        process = Popen(
            command, env=env, cwd=folder, stdin=DEVNULL, stdout=output, stderr=STDOUT, start_new_session=True
        )
    try:
        starting = Starting(process, "MLflow's server", f"at {address.url}", log)
        starting.wait(lambda: _status(f"{address.url}/health", 5) == HTTPStatus.OK, START_S)
        yield process
    finally:
        _stop(process)


def _store(settings: Settings) -> tuple[str, Path | None]:
    """Return the store's URL, and the folder to start the server in; None for this process's own.

    A SQLite store of ours is named relative to its folder: MLflow 3.17 makes the folder in a URL without decoding it.
    """
    path = sqlite_path(settings.tracking_uri)
    if path is None or settings.artifact_root is None:
        return settings.tracking_uri, None
    return sqlite_url(Path(path.name)), path.parent


def _command(settings: Settings, address: Address) -> list[str]:
    command = python_command("mlflow", "server", "--host", address.host, "--port", str(address.port))
    command += ["--workers", "1"]
    if settings.artifact_root is not None:
        command += ["--serve-artifacts", "--artifacts-destination", settings.artifact_root.as_uri()]
    return command


def _log(settings: Settings) -> Path:
    return settings.home / "mlflow-server.log"


def _holds(base: str, experiment_id: str) -> bool:
    """Return False only if MLflow says that it has no such experiment; a server that asks for a password counts as
    True.
    """
    query = urllib.parse.urlencode({"experiment_id": experiment_id})
    return _status(f"{base.rstrip('/')}/api/2.0/mlflow/experiments/get?{query}", 10) != HTTPStatus.NOT_FOUND


def _status(url: str, timeout_s: float) -> int | None:
    """Return the status of an HTTP answer; None without an answer."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310  an http address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, HTTPException):  # a port of the ephemeral range may even connect to itself: BadStatusLine
        return None


def _stop(process: Popen[bytes]) -> None:
    """End the whole session of the server: uvicorn and the processes that it started."""
    try:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(TimeoutExpired):
            process.wait(_STOP_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_S)


@contextmanager
def _until_asked_to_end() -> Iterator[None]:
    """End the block in the regular way on Ctrl-C and SIGTERM."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)
