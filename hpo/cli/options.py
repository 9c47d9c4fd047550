"""What every command shares: which study, where it is stored, and how facts are printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hpo.errors import UsageError
from hpo.settings import Settings, load_settings

if TYPE_CHECKING:
    from hpo.study.records import StudyRow
    from hpo.study.storage import Storage

Command = TypeVar("Command", bound=Callable[..., Any])


def complete_study(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Stored names, and YAML files."""
    from hpo.errors import HpoError

    files = [CompletionItem(incomplete, type="file")]
    try:
        with stored() as (_, storage):
            from hpo.study import lifecycle

            return [CompletionItem(name) for name in lifecycle.names(storage) if name.startswith(incomplete)] + files
    except HpoError:
        return files


def study_argument(command: Command) -> Command:
    """``STUDY``: a name or a study file; optional where the store holds one study."""
    return click.argument("study", required=False, metavar="[STUDY]", shell_complete=complete_study)(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


@contextmanager
def stored() -> Iterator[tuple[Settings, Storage]]:
    """The existing database that the environment names."""
    from hpo.study.storage import open_storage

    settings = load_settings()
    with open_storage(settings.storage_url, create=False) as storage:
        yield settings, storage


def find_study(storage: Storage, asked: str | None) -> StudyRow:
    """The study that ``asked`` names: a stored name, a study file, or nothing where there is only one."""
    from hpo.study import lifecycle

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
