"""The ``hpo`` command. Subcommands load when they are called, and they load heavy libraries."""

from __future__ import annotations

import importlib
import io
import logging
import sys

import click
from typing_extensions import override

from hpo import redaction, version
from hpo.errors import HpoError, SpecError

COMMANDS = {
    "init": "hpo.cli.commands.init:init",
    "run": "hpo.cli.commands.run:run",
    "worker": "hpo.cli.commands.worker:worker",
    "confirm": "hpo.cli.commands.confirm:confirm",
    "create": "hpo.cli.commands.run:create",
    "validate": "hpo.cli.commands.spec:validate",
    "schema": "hpo.cli.commands.spec:schema",
    "status": "hpo.cli.commands.study:status",
    "pause": "hpo.cli.commands.control:pause",
    "resume": "hpo.cli.commands.control:resume",
    "stop": "hpo.cli.commands.control:stop",
    "cancel": "hpo.cli.commands.control:cancel",
    "update": "hpo.cli.commands.control:update",
    "trials": "hpo.cli.commands.study:trials",
    "trial": "hpo.cli.commands.study:trial",
    "best": "hpo.cli.commands.best:best",
    "promote": "hpo.cli.commands.promote:promote",
    "report": "hpo.cli.commands.report:report",
    "sweep": "hpo.cli.commands.sweep:sweep",
    "sync": "hpo.cli.commands.tracking:sync",
    "ui": "hpo.cli.commands.tracking:ui",
    "doctor": "hpo.cli.commands.doctor:doctor",
    "up": "hpo.cli.commands.up:up",
    "db": "hpo.cli.commands.db:db",
    "delete": "hpo.cli.commands.study:delete",
    "data": "hpo.cli.commands.data:data",
}


class LazyGroup(click.Group):
    """Group that knows its commands by name, in the order of a user's work, and imports a command when it is needed."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
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
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )


def _print_version(context: click.Context) -> None:
    click.echo(f"hpo, version {version.described()}")
    context.exit()


def main() -> None:
    """Run the command; the class of an error sets the exit code (2 wrong input, 3 conflict, 4 storage, 1 the rest)."""
    redaction.install()
    try:
        sys.exit(cli.main(prog_name="hpo", standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(redaction.redact(shown.getvalue()), err=True, nl=False)  # the message quotes arguments
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("aborted", err=True)
        sys.exit(130)
    except SpecError as error:
        count = len(error.problems)
        said = f"{error}\n{count} problem{'s' if count > 1 else ''}; nothing was written"
        click.echo(redaction.redact(said), err=True)
        sys.exit(error.exit_code)
    except HpoError as error:
        if "--debug" in sys.argv:
            click.echo(redaction.trace(error), err=True)
        click.echo(redaction.redact(f"hpo: {error}"), err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `hpo trials | head`
        sys.stderr.close()
        sys.exit(0)
