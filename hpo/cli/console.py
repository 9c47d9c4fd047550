"""Tables, styled lines and bars for the terminal.

Brackets are no markup of rich's here: a style is given as ``Text.assemble`` takes it. A character that a terminal
obeys is written as an escape.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from typing_extensions import override

from hpo.texts import visible


def console(*, err: bool = False, quiet: bool = False, soft_wrap: bool = False) -> Console:
    """Return a console with the width of the terminal; in a pipe it is wide enough to cut no column."""
    stream = sys.stderr if err else sys.stdout
    is_terminal = stream is not None and stream.isatty()
    return PlainConsole(stderr=err, quiet=quiet, soft_wrap=soft_wrap, width=None if is_terminal else 200)


@contextmanager
def bars(*, quiet: bool) -> Iterator[Progress]:
    """Show progress bars on stderr while the block runs."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(err=True), transient=True, disable=quiet) as shown:
        yield shown


class PlainConsole(Console):
    """Console that reads no markup, and writes what a terminal would obey as escapes."""

    def __init__(
        self,
        *,
        file: IO[str] | None = None,
        stderr: bool = False,
        quiet: bool = False,
        soft_wrap: bool = False,
        width: int | None = None,
    ) -> None:
        plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(file=file, stderr=stderr, quiet=quiet, soft_wrap=soft_wrap, width=width, **plain)

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control is not None else Segment(visible(text), style)
