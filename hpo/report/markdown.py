"""A report as Markdown: the content of the page without its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hpo.report import words
from hpo.report.facts import Report
from hpo.texts import Markdown, in_markdown, visible


def render(report: Report) -> str:
    """Return the report; it ends with a newline."""
    counts, splits = ("images", "background", "boxes"), report.study.facts.dataset["splits"]
    parts = [
        f"# {in_markdown(report.study.name)}",
        in_markdown(words.question(report)),
        "\n".join(f"> {in_markdown(line)}" for line in words.verdict(report)),
        in_markdown(words.standing(report)),
        *map(in_markdown, words.at_bounds(report)),
        *map(in_markdown, words.cautions(report)),
        "## The winner's settings against the defaults",
        table(("argument", "baseline", "winner"), [(row.name, row.default, row.winner) for row in report.settings]),
        "## Operating point",
        *map(in_markdown, words.operating_point(report.winner)),
        "## What mattered",
        _importances(report),
        "## Trials",
        _trials(report),
        "## The data",
        table(("split", *counts), [(name, *(split[count] for count in counts)) for name, split in splits.items()]),
        words.sizes(report),
        "## What it cost",
        words.cost(report),
        "## Again",
        f"```yaml\n{visible(words.study_file(report))}```",
        f"Study {report.study.uuid}; data sha256 {report.study.identity.data_fingerprint[:16]}; "
        f"{in_markdown(words.versions(report.study.facts.versions))}",
        in_markdown(words.other_versions(report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _importances(report: Report) -> str:
    if not report.importances:
        return "Too few complete trials, or a single dimension: no importances."
    rows = [(each.name, each.value, f"{each.low:.2f} to {each.high:.2f}") for each in report.importances]
    told = table(("dimension", "importance", "90% interval"), rows)
    return "\n\n".join(part for part in (told, words.sampled(report)) if part)


def _trials(report: Report) -> str:
    shown, names = report.metrics, report.spec.searched.names
    rows = [
        (row.number, words.state(row), row.value, *map(row.metrics.get, shown), row.epochs, *map(row.params.get, names))
        for row in report.best_first
    ]
    return table(("trial", "state", str(report.spec.objective), *shown, "epochs", *names), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a Markdown table."""
    lines = [
        head,
        ["---"] * len(head),
        *([value if isinstance(value, Markdown) else words.short(value) for value in row] for row in rows),
    ]
    return "\n".join("| " + " | ".join(in_markdown(cell) for cell in line) + " |" for line in lines)
