"""What every command shares: which study, where it is stored, and how facts are printed."""

from __future__ import annotations

import getpass
import json
import platform
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from hpo import redaction
from hpo.errors import UsageError
from hpo.settings import Settings, adopt, load_settings, password_in, read_env_file, use_storage

if TYPE_CHECKING:
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow

Command = TypeVar("Command", bound=Callable[..., Any])


def complete_study(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Stored names, and YAML files."""
    from hpo.errors import HpoError

    files = [CompletionItem(incomplete, type="file")]
    try:
        with stored() as (_, storage):
            from hpo.study.studies import lifecycle

            return [CompletionItem(name) for name in lifecycle.names(storage) if name.startswith(incomplete)] + files
    except HpoError:
        return files


def study_argument(command: Command) -> Command:
    """``STUDY``: a name or a study file; optional where the store holds one study."""
    return click.argument("study", required=False, metavar="[STUDY]", shell_complete=complete_study)(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def store_options(command: Command) -> Command:
    """``--env-file`` and ``--storage``: where studies are stored, for any command that opens the database.

    The command needs no parameter for them: they go into the environment, from which ``load_settings`` reads.
    """
    storage = click.option(
        "--storage",
        metavar="URL",
        expose_value=False,
        callback=_use_storage,
        help="The database, without its password; instead of HPO_STORAGE.",
    )
    env_file = click.option(
        "--env-file",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        is_eager=True,  # so that --storage comes after it and wins, in whatever order they are written
        callback=_use_env_file,
        help="Take HPO_STORAGE, MLFLOW_TRACKING_URI and other variables from FILE (mode 600).",
    )
    return env_file(storage(command))


def _use_env_file(_context: click.Context, _option: click.Parameter, path: Path | None) -> None:
    if path is not None:
        adopt(read_env_file(path))


def _use_storage(_context: click.Context, _option: click.Parameter, url: str | None) -> None:
    if url is None:
        return
    if password_in(url) is not None:
        redaction.remember(password_in(url))
        raise UsageError(
            "--storage: the URL holds a password, and every user of this machine can read the arguments of a process: "
            "put HPO_STORAGE=URL into a file of mode 600 and name it with --env-file, "
            "or leave the password out here and keep it in ~/.pgpass or in HPO_STORAGE_PASSWORD_FILE"
        )
    use_storage(url)


class Slots(click.ParamType[int | None]):
    """A whole number from 1, or ``auto`` (None)."""

    name = "N|auto"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value is None or value == "auto":
            return None
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"{value!r} is neither auto nor a whole number from 1", param, ctx)
        return int(value)


def slots_option(command: Command) -> Command:
    """``--slots-per-gpu``: the command's ``slots_per_gpu``, None for as many as memory allows."""
    return click.option(
        "--slots-per-gpu",
        type=Slots(),
        metavar="N|auto",
        default="1",
        show_default=True,
        help="Trials at a time on each GPU (or on the CPU); auto: as many as fit by the largest memory that was seen.",
    )(command)


def again(command: str | None = None, *, of: str = "") -> str:
    """The command line that this process was called with, all options included; with ``command`` in place of ``of``.

    No secret is in it: those are refused as arguments.
    """
    words = sys.argv[1:]
    if command is not None:
        at = words.index(of)
        words[at] = command
    return shlex.join(["hpo", *words])


@contextmanager
def stored() -> Iterator[tuple[Settings, Storage]]:
    """The existing database that the environment names."""
    from hpo.study.database.storage import open_storage

    settings = load_settings()
    with open_storage(settings.storage_url, create=False) as storage:
        yield settings, storage


def find_study(storage: Storage, asked: str | None) -> StudyRow:
    """The study that ``asked`` names: a stored name, a study file, or nothing where there is only one."""
    from hpo.study.studies import lifecycle

    if asked is None:
        names = lifecycle.names(storage)
        if len(names) != 1:
            listed = ", ".join(names) if names else "none; make one with: hpo run FILE"
            raise UsageError(f"which study? The database holds {len(names)}: {listed}")
        return lifecycle.load(storage, names[0])
    return lifecycle.load(storage, name_in_file(Path(asked)) if asked.endswith((".yaml", ".yml")) else asked)


def name_in_file(path: Path) -> str:
    """The ``name`` of a study file; the rest of it need not be valid any more."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe").load(path.read_text())
    except (OSError, YAMLError) as error:
        raise UsageError(f"{path}: can't be read as a study file: {error}") from error
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str):
        raise UsageError(f"{path}: holds no `name`; give a study's name or its file")
    return name


def who() -> str:
    """The person at this machine, as it is noted beside what they change."""
    return f"{getpass.getuser()}@{platform.node()}"


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def duration(seconds: float | None) -> str:
    """``1:02:03`` or ``2:03``; a dash for None."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
