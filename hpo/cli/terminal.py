"""Lines for the terminal: text from elsewhere is shown as it is, and is never a command to the terminal.

Every output of a command goes through here, or through ``hpo.cli.console`` for tables and styles.
"""

from __future__ import annotations

import click

from hpo.texts import visible


def say(text: object = "", *, err: bool = False, end: str = "\n") -> None:
    """Print a line to stdout, or with ``err`` to stderr."""
    click.echo(f"{visible(str(text))}{end}", err=err, nl=False)


def say_again(text: str) -> None:
    """Print to stderr over what the last call printed."""
    click.echo(f"\r{visible(text)} ", err=True, nl=False)


def say_labelled(label: str, colour: str, text: str) -> None:
    """Print a line that begins with a coloured word of ours."""
    click.echo(f"{click.style(label, fg=colour)} {visible(text)}")


def confirm(question: str) -> None:
    """Ask on the terminal, and end the command unless the answer is yes."""
    click.confirm(visible(question), abort=True)
