"""Options that commands share: the study, its store, and the form of the output."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from hpo import redaction, urls
from hpo.api.changing import accept_data
from hpo.api.documents import finite, plain
from hpo.api.finding import stored, stored_study
from hpo.cli.terminal import say
from hpo.errors import HpoError, UsageError
from hpo.processes import hide_values_of, typed
from hpo.settings import adopt_file, use_storage

if TYPE_CHECKING:
    from rich.progress import TaskID

Command = TypeVar("Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False)

MANY = 1_000_000
"""Largest count that an option takes; a study file's bounds are in ``hpo.studyfile.schema``."""
MOST_PIXELS, MOST_PROCESSES = 32_768, 1024


class FiniteRange(click.FloatRange):
    """A number between two bounds; ``nan`` is none."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
data_option = click.option("--data", type=_FILE, help="The data.yaml, where it lies elsewhere.")
_DEVICE = "auto, cpu, or a CUDA index such as 0."
device_option = click.option("--device", default="auto", show_default=True, help=_DEVICE)
"""The only device that a command computes on."""


class ContextOption:
    """An option whose value is read from the command's context: the commands have parameters enough."""

    def __init__(self, name: str, **attributes: Any) -> None:
        """Make the option ``name``; ``attributes`` are those of ``click.option``."""
        self._key = f"hpo{name}"
        self._option = click.option(name, expose_value=False, callback=self._note, **attributes)

    def __call__(self, command: Command) -> Command:
        """Add the option to a command."""
        return self._option(command)

    @property
    def value(self) -> Any:
        """Return the value of the command that runs; None where it has no such option."""
        return click.get_current_context().meta.get(self._key)

    def _note(self, context: click.Context, _option: click.Parameter, value: object) -> None:
        context.meta[self._key] = value


def complete_study(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return stored names, and YAML files."""
    files = [CompletionItem(incomplete, type="file")]
    try:
        with stored() as (_, storage):
            from hpo.study.studies import lifecycle

            return [CompletionItem(name) for name in lifecycle.names(storage) if name.startswith(incomplete)] + files
    except HpoError:
        return files


def study_argument(command: Command) -> Command:
    """Add ``STUDY``, a name or a study file (optional if the store holds one study), and the store's options."""
    study = click.argument("study", required=False, metavar="[STUDY]", shell_complete=complete_study)
    return study(store_options(command))


def file_arguments(command: Command) -> Command:
    """Add ``FILE [KEY=VALUE]...``: the command's ``file`` and ``overrides``."""
    file = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
    return file(click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")(command))


_OF_FILE = "The data.yaml, where it lies elsewhere than the study file says; it is remembered."
data_of_file_option = ContextOption("--data", type=_FILE, help=_OF_FILE)
"""For a command with ``file_arguments``: it becomes the last of its ``overrides``. Of the path, unlike that of
``data=PATH``, nothing is read as YAML.
"""


def named_data() -> Path | None:
    """Return what the ``--data`` of a command with ``data_of_file_option`` names."""
    found: Path | None = data_of_file_option.value
    return found


def with_data(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """Return the overrides of a command with ``data_of_file_option``, and what its ``--data`` names."""
    data = named_data()
    return overrides if data is None else (*overrides, f"data={json.dumps(str(data.absolute()))}")


def store_options(command: Command) -> Command:
    """Add ``--env-file`` and ``--storage`` to a command that opens the database.

    The command needs no parameter for them: they go into the environment, from which ``load_settings`` reads.
    """
    text = "The database, without its password; instead of HPO_STORAGE."
    storage = click.option("--storage", metavar="URL", expose_value=False, callback=_use_storage, help=text)
    env_file = click.option(
        "--env-file",
        metavar="FILE",
        type=_FILE,
        expose_value=False,
        is_eager=True,  # so that --storage is read later and wins, in any order on the command line
        callback=_use_env_file,
        help="Take HPO_STORAGE, MLFLOW_TRACKING_URI and other variables from FILE (mode 600).",
    )
    return env_file(storage(command))


def _use_env_file(_context: click.Context, _option: click.Parameter, path: Path | None) -> None:
    if path is not None:
        adopt_file(path)
        # the process of a trial, which must not find the file, can read its parent's command line
        hide_values_of("--env-file")


def _use_storage(_context: click.Context, _option: click.Parameter, url: str | None) -> None:
    if url is None:
        return
    if urls.passwords_in(url):
        redaction.remember_url(url)
        raise UsageError(
            "--storage: the URL holds a password, and every user of this machine can read the arguments of a process: "
            "put HPO_STORAGE=URL into a file of mode 600 and name it with --env-file, "
            "or leave the password out here and keep it in ~/.pgpass or in HPO_STORAGE_PASSWORD_FILE"
        )
    use_storage(url)


def _slots(value: str) -> int | None:
    """Return an integer from 1, or None for ``auto``."""
    if value == "auto":
        return None
    if not value.isdecimal() or len(value) > 4 or not 1 <= int(value) <= MOST_PROCESSES:
        raise click.BadParameter(f"{value!r} is neither auto nor a whole number from 1 to {MOST_PROCESSES}")
    return int(value)


_SLOTS = "Trials at a time on each GPU (or on the CPU); auto: as many as fit by the largest memory that was seen."
slots_option = click.option(
    "--slots-per-gpu", type=_slots, metavar="N|auto", default="1", show_default=True, help=_SLOTS
)
"""The command's ``slots_per_gpu``, None for as many as memory allows."""


_VERSIONS = "Train with other versions of Ultralytics, torch or hpo than the study was made with."
versions_option = ContextOption("--allow-versions", is_flag=True, help=_VERSIONS)


def versions_allowed() -> bool:
    """Return whether ``--allow-versions`` was given to the command that runs."""
    return bool(versions_option.value)


_ACCEPTED = "Where the data has changed: go on with it as it is now. The study's record, verdict and model card say so."
accept_data_option = ContextOption("--accept-data", is_flag=True, help=_ACCEPTED)
"""For a command that needs a study's data; it calls ``accept_data_if_asked``."""


def accept_data_if_asked(study: str | None, data: Path | None) -> None:
    """Let the stored ``study`` go on with its data as it is, where ``--accept-data`` was given.

    ``data``: the data.yaml, where it is at no place that is known.
    """
    if not accept_data_option.value:
        return
    with stored_study(study) as (settings, storage, row):
        told = accept_data(settings, storage, row, data)
    say(told or f"the data is that of study {row.name!r}: there is nothing to accept", err=True)


_TRUST = "A file of weights that may run code of its author; the study records it, with its content. May be repeated."
trust_option = ContextOption("--trust", multiple=True, type=_FILE, help=_TRUST)


def trusted() -> tuple[Path, ...]:
    """Return the values of ``--trust`` of the command that runs."""
    return tuple(trust_option.value or ())


def worker_options(command: Command) -> Command:
    """Add the options of every command that trains trials of a stored study: ``--data``, ``--gpus`` and
    ``--allow-versions``.
    """
    text = "The study's data.yaml on this machine, where it lies elsewhere. Its images and labels must be the same."
    gpus = "all (the CPU where there is none), cpu, or 0,1,..."
    command = click.option("--gpus", default="all", show_default=True, help=gpus)(versions_option(command))
    return click.option("--data", type=_FILE, help=text)(command)


def again(command: str | None = None, *, of: str = "") -> str:
    """Return the command line of this process with all options; ``command`` replaces ``of``.

    It contains no secret: arguments with secrets are refused.
    """
    words = typed()[1:]
    if command is not None:
        words[words.index(of)] = command
    return shlex.join(["hpo", *words])


def print_json(value: Any) -> None:
    say(json.dumps(finite(value), indent=2, default=plain, allow_nan=False))


@contextmanager
def decoding(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for the decoding of images, on a terminal; it gets the images done, and all."""
    from hpo.cli.console import bars

    with bars(quiet=quiet or not sys.stderr.isatty()) as shown:
        tasks: list[TaskID] = []

        def show(done: int, images: int) -> None:
            if not tasks:
                tasks.append(shown.add_task("decoding images", total=images))
            shown.update(tasks[0], completed=done)

        yield show
