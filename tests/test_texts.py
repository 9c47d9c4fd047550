"""Text from elsewhere stands for itself at each place that shows it, and only those places print."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

import hpo
from hpo.cli.console import PlainConsole
from hpo.texts import Markdown, finalized, in_code, in_figure, in_markdown, visible

HOSTILE = "[/x] [red]a[/] :smile: \x1b]0;title\x07 \x9b31m \u202e\u200f\u061cabc $x^{$ `c` |"
ROOT = Path(hpo.__file__).parent
DOORS = {
    "cli/terminal.py",
    "cli/console.py",
    "cli/streams.py",  # that output is lost
    "redaction.py",  # uncaught errors
    "training/child.py",  # the attempt's own log
    "dataset/decoders.py",  # answers to the process that started it
    "training/weights_process.py",  # answers to the process that started it
    "studyfile/reading/pickled.py",  # answers to the process that started it
    "training/ultralytics_internals/datasets.py",
    "api/progress.py",  # the lines of a notebook
}
"""Modules that may print; each does so through ``hpo.texts``, or to a program."""


@given(st.text())
def test_no_character_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = visible(text)
    assert not set(map(chr, [*range(9), *range(11, 32), *range(127, 160)])) & set(shown)
    shown.encode()  # no half of a surrogate pair


@pytest.mark.parametrize("renderable", [HOSTILE, Text.assemble((HOSTILE, "bold")), Table("", HOSTILE)])
def test_a_console_shows_brackets_as_they_are_and_escapes_what_a_terminal_obeys(renderable: object) -> None:
    out = io.StringIO()
    PlainConsole(file=out, width=200).print(renderable)
    assert "[/x] [red]a[/] :smile: \\x1b]0;title" in out.getvalue()
    assert not set("\x1b\x07\x9b\u202e\u200f\u061c") & set(out.getvalue())


def test_a_bar_shows_its_description_as_text() -> None:
    out = io.StringIO()
    column = TextColumn("{task.description}", markup=False)
    with Progress(column, console=PlainConsole(file=out, width=200)) as bars:
        bars.add_task(HOSTILE)
    assert "[/x] [red]a[/]" in out.getvalue()
    assert "\x9b" not in out.getvalue()


def test_markdown_has_no_link_tag_formula_or_emphasis_from_elsewhere() -> None:
    assert in_markdown("[a](javascript:b) <b> _x_ *y* $z$\n# h") == r"\[a\](javascript:b) \<b> \_x\_ \*y\* \$z\$ # h"
    assert in_markdown("# h | `c` &lt; map50_95") == r"\# h \| \`c\` \&lt; map50_95"
    assert in_markdown(Markdown("`ours`")) == "`ours`"
    assert in_code("a`b\nc") == "a'b c"


@given(st.text(st.sampled_from("ab$\\{}^_ \x1b"), max_size=12))
def test_matplotlib_draws_any_text_as_text(text: str) -> None:
    from matplotlib.cbook import is_math_text

    assert not is_math_text(in_figure(text))


def test_a_template_takes_markup_of_ours_as_it_is() -> None:
    class Markup(str):
        pass

    ours = Markup("<svg>\x1b")
    assert finalized(ours) is ours
    assert finalized("\x1b") == "\\x1b"
    assert finalized(3) == 3


def test_only_the_doors_print() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if _prints(node)
    }
    assert found <= DOORS


def _prints(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "rich.markup"
    printing = {
        "print",
        "click.echo",
        "click.secho",
        "click.confirm",
        "Console",
        "sys.stdout.write",
        "sys.stderr.write",
    }
    return isinstance(node, ast.Call) and ast.unparse(node.func) in printing
