"""The ``hpo`` command. Subcommands load when they are called, and they load heavy libraries."""

from __future__ import annotations

import errno
import importlib
import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from typing_extensions import override

from hpo import redaction, version
from hpo.cli import streams
from hpo.cli.terminal import say
from hpo.errors import HpoError, SpecError, StorageUnavailable, UsageError

COMMANDS = (
    {"init": "init", "run": "run", "worker": "worker", "confirm": "confirm", "create": "run"}
    | {"validate": "spec", "schema": "spec", "status": "study"}
    | dict.fromkeys(("pause", "resume", "stop", "cancel", "update"), "control")
    | {"trials": "study", "trial": "study", "best": "best", "promote": "promote", "report": "report"}
    | {"sweep": "sweep", "sync": "tracking", "ui": "tracking", "doctor": "doctor"}
    | {"up": "up", "db": "db", "delete": "study", "data": "data"}
)
"""Each command, in the order of a user's work, and its module in ``hpo.cli.commands``."""


class LazyGroup(click.Group):
    """Group that knows its commands by name, in the order of a user's work, and imports a command when it is needed."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"hpo.cli.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _option, asked: _print_version(context) if asked else None,
    help="Show the version and its commit, and exit.",
)
@click.option("--debug", is_flag=True, help="Show the trace of an error, and log in detail.")
def cli(*, debug: bool) -> None:
    """Hyperparameter optimization for YOLO detectors: one study file, one command.

    \b
    hpo init --data data.yaml            write a study file for your data (hpo data demo makes some)
    hpo run study.yaml                   search; Ctrl-C and run again to go on
    hpo trials                           compare; hpo ui opens MLflow on them
    hpo confirm                          is the winner better than the defaults, or was it lucky?
    hpo promote --output final           weights, settings, model card; registered in MLflow

    Files go under $HPO_HOME (default ./runs). HPO_STORAGE and MLFLOW_TRACKING_URI name other stores,
    or --env-file FILE after a command. `hpo up` serves both to other machines.
    """
    level = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def _print_version(context: click.Context) -> None:
    say(f"hpo, version {version.described()}")
    context.exit()


def main() -> None:
    """Run the command; the class of an error sets the exit code (2 wrong input, 3 conflict, 4 storage, 1 the rest)."""
    redaction.install()
    streams.guard()
    sys.exit(streams.judged(answer(sys.argv[1:])))


def answer(words: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit code; every error that has words is told in them."""
    debug = "--debug" in words
    try:
        return int(cli.main(list(words), prog_name="hpo", standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        say(redaction.redact(shown.getvalue()), err=True, end="")  # the message quotes arguments
        return error.exit_code
    except click.Abort:
        say("aborted", err=True)
        return 130
    except HpoError as error:
        said = f"hpo: {error}"
        if isinstance(error, SpecError):
            count = len(error.problems)
            said = f"{error}\n{count} problem{'s' if count > 1 else ''}; nothing was written"
        elif debug:
            say(redaction.trace(error), err=True)
        say(redaction.redact(said), err=True)
        return error.exit_code
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        if debug:
            say(redaction.trace(error), err=True)
        code, said = _input_error(error)
        say(redaction.redact(said), err=True)
        return code


_OF_DISKS = {
    errno.EACCES: "it belongs to another user: ask its owner, or set HPO_HOME to a folder of yours",
    errno.EPERM: "it belongs to another user: ask its owner, or set HPO_HOME to a folder of yours",
    errno.EROFS: "the disk can only be read: set HPO_HOME to a folder on another one",
    errno.ENOTDIR: "a file is where a folder should be: set HPO_HOME to another folder",
    errno.EEXIST: "a file is where a folder should be: set HPO_HOME to another folder",
    errno.ENOSPC: "make room, then run the same command again: nothing that was measured is lost",
    errno.EDQUOT: "make room, then run the same command again: nothing that was measured is lost",
}


LAST_RESORT = "what led to it"
"""Part of the message about an error that no reader of the input has told in better words."""


def _has_working_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _input_error(error: OSError | ValueError | OverflowError | RecursionError) -> tuple[int, str]:
    """Return the exit code and the words for an input that nothing refused before it was used."""
    if isinstance(error, OSError) and error.errno in _OF_DISKS and error.filename is not None:
        said = f"hpo: {error.filename}: {error.strerror}: {_OF_DISKS[error.errno]}"
        return StorageUnavailable.exit_code, said
    if isinstance(error, OSError) and not _has_working_folder():
        return UsageError.exit_code, "hpo: the working folder is gone: cd to a folder that exists, and run it again"
    more = f"{LAST_RESORT}: the same command with `hpo --debug`"
    if isinstance(error, RecursionError):
        return UsageError.exit_code, f"hpo: something in the input is nested too deeply: make it flat; {more}"
    place = f"{error.filename}: " if isinstance(error, OSError) and error.filename is not None else ""
    what = (error.strerror if isinstance(error, OSError) else None) or str(error).strip() or type(error).__name__
    return UsageError.exit_code, f"hpo: {place}{what}: correct the path or the value that the command was given; {more}"
