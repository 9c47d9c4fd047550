"""Text from elsewhere, made plain for each place that shows it.

Names of classes and nodes, paths, and messages of other programs are text: none of it moves a terminal's cursor, opens
a tag, a link or a formula.
"""

from __future__ import annotations

import re

_OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that a terminal obeys, that turn the direction of a line, or that no file can hold. A line's end and a
tab are kept.
"""
_MARKDOWN = re.compile(r"[\\`*\[\]<|~$]|&(?=[#\w])|(?<!\w)_|_(?!\w)|^[#>]")
"""Signs that open something in Markdown; an underscore inside a word opens nothing, and stays readable.
"""


def visible(text: str) -> str:
    """Return ``text`` with each character that a terminal or a browser obeys written as an escape (``\\x1b``)."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def finalized(value: object) -> object:
    """Return what a template puts into a page: a plain text as ``visible`` writes it, anything else as it is."""
    return visible(value) if isinstance(value, str) and type(value) is str else value


class Markdown(str):
    """Text that is Markdown of our own already."""


def in_markdown(text: str) -> str:
    """Return ``text`` on one line of Markdown, where each of its signs stands for itself; ``Markdown`` as it is."""
    if isinstance(text, Markdown):
        return text
    return _MARKDOWN.sub(r"\\\g<0>", visible(" ".join(text.splitlines())))


def in_code(text: str) -> str:
    """Return ``text`` for the inside of a pair of backticks in Markdown, where nothing else has a meaning."""
    return visible(" ".join(text.splitlines())).replace("`", "'")


def in_figure(text: str) -> str:
    """Return ``text`` for matplotlib, which would read what stands between two dollar signs as a formula."""
    return visible(text).replace("$", r"\$")
