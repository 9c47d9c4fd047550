"""The table of keys in docs/study-file.md, made from their definitions; ``make keys`` writes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpo.studyfile.documents import plain_default
from hpo.studyfile.keys import Block, Flag, Form, KeyField, OneOf, Own, Real, Whole, keys_of
from hpo.studyfile.reading.forms import KINDS
from hpo.studyfile.schema import StudySpec

BEGIN = "<!-- table of keys: `make keys` writes it from hpo/studyfile/schema.py -->"
END = "<!-- end of the table of keys -->"


def table() -> str:
    """Return one row for each key, the keys of a block below it."""
    rows = [f"| `{path}` | {_takes(each)} | {_default(each)} | {each.key.doc} | {_example(each)} |"
            for path, each in _all(StudySpec)]  # fmt: skip
    return "\n".join(["| key | takes | default | meaning | example |", "|---|---|---|---|---|", *rows])


def rewritten(page: str) -> str:
    """Return ``page`` with a new table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _all(cls: type[Any], above: str = "") -> Iterator[tuple[str, KeyField]]:
    for each in keys_of(cls):
        outer = f"{each.key.within}." if each.key.within else ""
        yield f"{above}{outer}{each.called}", each
        if isinstance(each.shape, Block):
            yield from _all(each.shape.cls, f"{above}{each.name}.")


def _takes(each: KeyField) -> str:
    match each.shape:
        case Whole(low, high, below):
            return f"a whole number from {low:g}" + (f", below {below.value}" if below else f" to {high}")
        case Real(bound, above, high):
            return f"a number {'above' if above else 'from'} {bound:g} to {high:.12g}"
        case Flag():
            return "`true` or `false`"
        case OneOf(names):
            *first, last = (f"`{name}`" for name in names)
            return f"{', '.join(first)} or {last}"
        case Block():
            return "the keys below"
        case Own(form):
            return _form(form)


def _form(form: Form) -> str:  # noqa: C901, PLR0911  (a line a form)
    match form:
        case "name":
            return "a name"
        case "names":
            return "a list of names"
        case "data":
            return "a path"
        case "model":
            return "a name or a path"
        case "train" | "recipe":
            return "a mapping"
        case "space":
            return "parts and [ranges](#ranges)"
        case "objective":
            return "[an objective](#the-objective)"
        case "sampler" | "pruner":
            return "a name, or a mapping with `name` and options"
        case "proposals":
            return "a list of mappings"
        case "kinds":
            return f"a list of {', '.join(KINDS)}"


def _default(each: KeyField) -> str:
    if each.required:
        return "required"
    if each.key.otherwise or isinstance(each.shape, Block):
        return each.key.otherwise
    plain = plain_default(each)
    return f"`{_flow(next(iter(plain.values())) if each.key.word and isinstance(plain, dict) else plain)}`"


def _example(each: KeyField) -> str:
    return "" if isinstance(each.shape, Block) else f"`{_flow(each.example)}`"


def _flow(value: Any) -> str:
    """Write YAML in one line; examples hold no text that needs quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
