"""Settings from the environment. Only this module reads ``os.environ`` for the service's own settings.

Secrets come from the environment, from files that variables name (``HPO_STORAGE_FILE``, ``HPO_STORAGE_PASSWORD_FILE``,
``MLFLOW_TRACKING_PASSWORD_FILE``), or, for PostgreSQL, from libpq's own places (``PGPASSFILE``, ``~/.pgpass``).
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from hpo import redaction, urls
from hpo.errors import UsageError

_SECRETS = ("STORAGE", "STORAGE_PASSWORD", "WORKER_PASSWORD", "READER_PASSWORD", "MLFLOW_PASSWORD")
VARIABLES = ("HPO_HOME", *(f"HPO_{name}{suffix}" for name in _SECRETS for suffix in ("", "_FILE")))
"""All variables that hpo itself reads."""
_ENV_FILE = "HPO_ENV_FILE"
"""Set by ``--env-file`` alone, for this process and the workers that it starts: the path of the file."""
_POSTGRES = re.compile(r"postgres(ql)?(\+psycopg2?)?://")
_SQLITE = "sqlite:///"
_MOST_OF_A_FILE = 1 << 20
"""Bytes of a file of variables or of one secret; a device has no end."""
_WITH_USER = re.compile(r"(?P<head>[\w.+-]+://[^:/@\s]+)@")
_TELLING = "PASSWORD|PASSWD|PASSFILE|PASSPHRASE|SECRETS?|TOKEN|CREDENTIALS?|APIKEY|API_KEY|ACCESS_KEY|PRIVATE_KEY"
_SECRET_NAME = re.compile(
    rf"(HPO_STORAGE|HPO_ENV_FILE|MLFLOW_TRACKING_|PG(PASSWORD|PASSFILE|SERVICEFILE)$)|(.*_)?({_TELLING})(_.*|$)"
)
"""Names of variables that hold the addresses or credentials of our stores, or that look like the name of a secret."""


@dataclass(frozen=True)
class Settings:
    """Places and addresses, resolved once at start."""

    home: Path
    """Absolute folder of all written files (``HPO_HOME``, default ``./runs``)."""
    storage_url: str
    """SQLAlchemy URL of the shared database (``HPO_STORAGE``, default SQLite under ``home``)."""
    tracking_uri: str
    """MLflow tracking URI (``MLFLOW_TRACKING_URI``, default SQLite under ``home``)."""
    artifact_root: Path | None
    """Artifact location of new experiments; with None the tracking server decides."""

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    def study_folder(self, study: str) -> Path:
        """Return the folder of one study: attempts, weights and the resolved data.yaml."""
        return self.home / "studies" / study


def load_settings(env: MutableMapping[str, str] = os.environ) -> Settings:
    """Read the settings from ``env``.

    A password for MLflow from a file is put into the environment, where MLflow's client looks for it. Raises UsageError
    if a variable names a file that can't be read, or if one secret has two sources.
    """
    home = Path(env.get("HPO_HOME") or "runs").expanduser().resolve()
    if any("\ud800" <= char <= "\udfff" for char in str(home)):
        raise UsageError(
            f"HPO_HOME: {str(home)!a} can't be read as text here: set LC_ALL=C.UTF-8, or rename the folder in UTF-8"
        )
    password = secret("MLFLOW_TRACKING_PASSWORD", env)
    if password:
        env["MLFLOW_TRACKING_PASSWORD"] = password
        env.pop("MLFLOW_TRACKING_PASSWORD_FILE", None)  # it was read; a second call finds one source
    tracking = env.get("MLFLOW_TRACKING_URI") or ""
    storage = storage_url(env)
    for name, place in (("HPO_STORAGE", storage), ("MLFLOW_TRACKING_URI", tracking)):
        redaction.remember_url(place)
        _refuse_unescaped(name, place)
    _refuse_port(tracking)
    redaction.remember(env.get("PGPASSWORD"))
    return Settings(
        home=home,
        storage_url=storage or sqlite_url(home / "hpo.db"),
        tracking_uri=with_driver(tracking) or sqlite_url(home / "mlflow.db"),
        artifact_root=None if tracking else home / "mlartifacts",
    )


def storage_url(env: Mapping[str, str]) -> str:
    """Return ``HPO_STORAGE`` (or the content of ``HPO_STORAGE_FILE``), with the password of
    ``HPO_STORAGE_PASSWORD_FILE``; may be empty.
    """
    url = secret("HPO_STORAGE", env)
    password = secret("HPO_STORAGE_PASSWORD", env)
    return with_password(url, password) if password else url


def secret(name: str, env: Mapping[str, str]) -> str:
    """Return the variable ``name``, or the content of the file that ``name``_FILE names; empty if neither is set."""
    value, file = env.get(name, ""), env.get(f"{name}_FILE", "")
    if value and file:
        raise UsageError(f"{name} and {name}_FILE are both set: unset one of them")
    if file:
        try:
            value = _text_of(Path(file).expanduser()).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{name}_FILE={file}: {_unreadable(error)}: name a file that holds the secret alone"
            ) from error
        if not value:
            raise UsageError(f"{name}_FILE={file}: is empty: name a file that holds the secret alone")
    if "://" not in value:
        redaction.remember(value)
    return value


def without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """Return ``env`` without passwords, tokens and keys, for a process that opens neither the database nor MLflow.

    A variable is left out because of its name, or because its value holds a known password or a password in a URL.
    Proxies stay, since weights may be fetched through one.
    """
    return {
        name: value
        for name, value in env.items()
        if not value
        or name.lower().endswith("_proxy")
        or not (_SECRET_NAME.match(name.upper()) or redaction.redact(value) != value or urls.passwords_in(value))
    }


def role_password(kind: str) -> str:
    """Return the password for a new role of this kind (worker, reader, mlflow): ``HPO_<KIND>_PASSWORD``; may be
    empty.
    """
    return secret(f"HPO_{kind.upper()}_PASSWORD", os.environ)


def _refuse_unescaped(name: str, url: str) -> None:
    """Raise UsageError for a password that programs would read in part as a host, a path or a query."""
    if "\0" in unquote(url):
        raise UsageError(f"{name}: holds the character %00, which no server takes: leave it out")
    if sign := urls.unescaped(url):
        raise UsageError(
            f"{name}: {sign!r} stands in the password as it is: write {quote(sign, safe='')} for it (in a URL @ is "
            "%40, / is %2F, # is %23, ? is %3F, % is %25; an @ in the query too), or leave the password out and keep "
            "it, as it is, in a file that HPO_STORAGE_PASSWORD_FILE names, or in ~/.pgpass"
        )


def _refuse_port(uri: str) -> None:
    """Raise UsageError for an address of MLflow that no program can connect to."""
    try:
        urlsplit(uri).port  # noqa: B018  (reading it checks it)
    except ValueError as error:
        raise UsageError(f"MLFLOW_TRACKING_URI: {error}: name http://HOST:PORT with a port from 1 to 65535") from error


def with_driver(url: str) -> str:
    """Return ``url``; for PostgreSQL with psycopg 3, the driver that hpo has, however the URL begins."""
    return _POSTGRES.sub("postgresql+psycopg://", url, count=1) if _POSTGRES.match(url) else url


def for_libpq(url: str) -> str:
    """Return a URL of PostgreSQL in the form that PostgreSQL's own programs take; any other as it is.

    In its query SQLAlchemy reads ``+`` as a space, and libpq does not.
    """
    address, mark, query = _POSTGRES.sub("postgresql://", url, count=1).partition("?")
    return url if not _POSTGRES.match(url) else f"{address}{mark}{query.replace('+', '%20')}"


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file, quoted as by SQLAlchemy's ``URL``: ``%``, ``?`` and ``#`` may stand in paths."""
    return f"{_SQLITE}{quote(str(path), safe='/ +')}"


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for any other URL, and for a database in memory."""
    if not url.startswith(_SQLITE) or url.endswith(":memory:"):
        return None
    return Path(unquote(url.removeprefix(_SQLITE).partition("?")[0]))


def with_password(url: str, password: str) -> str:
    """Return ``url`` (``postgresql://user@host/name``) with ``password``. Raises UsageError if it has no user."""
    if urls.passwords_in(url):
        raise UsageError("HPO_STORAGE has a password, and HPO_STORAGE_PASSWORD_FILE names another: leave one out")
    found = _WITH_USER.match(url)
    if found is None:
        raise UsageError("HPO_STORAGE_PASSWORD_FILE: needs HPO_STORAGE with a user: postgresql://hpo_worker@HOST/hpo")
    return f"{found['head']}:{quote(password, safe='')}@{url[found.end() :]}"


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of an env file: lines ``NAME=value``, ``#`` comments; quotes around a value are removed.

    Raises UsageError, with the line, for any other line, for a name of ours that nothing reads, and for a file that
    other users may read: it holds passwords that allow writing to every study.
    """
    try:
        mode = path.stat().st_mode
        lines = _text_of(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {_unreadable(error)}: name a file of lines NAME=value") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        way_out = f"chmod 600 {shlex.quote(str(path))}"
        raise UsageError(f"{path}: others can read the passwords in it (mode {mode & 0o777:o}): {way_out}")
    pairs = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    return dict(_pair(f"{path}:{number}", line) for number, line in pairs if line and not line.startswith("#"))


def adopt(values: Mapping[str, str], env: MutableMapping[str, str] = os.environ) -> None:
    """Put ``values`` into the environment, where they replace existing ones: the file was named on the command line.

    The other spelling of a secret (with or without ``_FILE``) is removed, so that the two do not conflict.
    """
    for name, value in values.items():
        env.pop(name.removesuffix("_FILE") if name.endswith("_FILE") else f"{name}_FILE", None)
        env[name] = value
    if "HPO_STORAGE" in values or "HPO_STORAGE_FILE" in values:
        for name in ("HPO_STORAGE_PASSWORD", "HPO_STORAGE_PASSWORD_FILE"):
            if name not in values:
                env.pop(name, None)


def adopt_file(path: Path, env: MutableMapping[str, str] = os.environ) -> None:
    """Put the variables of an env file into the environment, and note the file, which may get another password later.

    Raises UsageError as ``read_env_file`` does.
    """
    adopt(read_env_file(path), env)
    env[_ENV_FILE] = str(path.absolute())


def storage_urls_now(env: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield the URL of the database as the files have it now that variables or ``--env-file`` have named.

    They may hold another password than at the start. A file that can't be read at this moment is passed over.
    """
    named = env.get(_ENV_FILE)
    for file in (Path(named), None) if named else (None,):
        now = dict(env)
        with suppress(UsageError):
            if file is not None:
                adopt(read_env_file(file), now)
            yield storage_url(now)


def use_storage(url: str, env: MutableMapping[str, str] = os.environ) -> None:
    """Use ``url`` (without a password) as the database; a password from a file still applies."""
    env.pop("HPO_STORAGE_FILE", None)
    env["HPO_STORAGE"] = url


def _text_of(path: Path) -> str:
    """Return the text of a file, or of a pipe that a shell makes (``<(pass hpo)``). Raises OSError."""
    with path.open("rb") as file:
        content = file.read(_MOST_OF_A_FILE + 1)
    if len(content) > _MOST_OF_A_FILE:
        raise OSError(errno.EFBIG, f"is larger than {_MOST_OF_A_FILE} bytes")
    return content.decode()


def _unreadable(error: OSError | UnicodeDecodeError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "is not text"


def _pair(place: str, line: str) -> tuple[str, str]:
    name, equals, value = line.removeprefix("export ").partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name.isidentifier() or "\0" in value:
        raise UsageError(f"{place}: is not NAME=value")  # without the line: it may be a password
    if name.startswith("HPO_") and name not in VARIABLES:
        near = difflib.get_close_matches(name, VARIABLES, n=1)
        raise UsageError(f"{place}: {name}: nothing reads it; " + (f"meant {near[0]}?" if near else "take it out"))
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    redaction.remember_url(value)
    if "PASSWORD" in name and not name.endswith("_FILE"):
        redaction.remember(value)
    return name, value
