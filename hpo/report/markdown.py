"""A report as Markdown: the content of the page without its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hpo.report import words
from hpo.report.facts import Report


def render(report: Report) -> str:
    """Return the report; it ends with a newline."""
    objective = str(report.spec.objective)
    names = report.spec.searched.names
    parts = [
        f"# {report.study.name}",
        words.question(report),
        "\n".join(f"> {line}" for line in words.verdict(report)),
        words.standing(report),
        "## The winner's settings against the defaults",
        _table(("argument", "baseline", "winner"), [(row.name, row.default, row.winner) for row in report.settings]),
        "## Operating point",
        *words.operating_point(_winner(report)),
        "## What mattered",
        _table(
            ("dimension", "importance", "90% interval"),
            [(each.name, each.value, f"{each.low:.2f} to {each.high:.2f}") for each in report.importances],
        )
        if report.importances
        else "Too few complete trials, or a single dimension: no importances.",
        "## Trials",
        _table(
            ("trial", "state", objective, *report.metrics, "epochs", *names),
            [
                (
                    row.number,
                    words.state(row),
                    row.value,
                    *(row.metrics.get(name) for name in report.metrics),
                    row.epochs,
                    *(row.params.get(name) for name in names),
                )
                for row in report.best_first
            ],
        ),
        "## The data",
        _table(
            ("split", "images", "background", "boxes"),
            [
                (name, split["images"], split["background"], split["boxes"])
                for name, split in report.study.facts.dataset["splits"].items()
            ],
        ),
        words.sizes(report),
        "## What it cost",
        words.cost(report),
        "## Again",
        f"```yaml\n{words.study_file(report)}```",
        f"Study {report.study.uuid}; data sha256 {report.study.identity.data_fingerprint[:16]}; "
        + ", ".join(f"{name} {version}" for name, version in report.study.facts.versions.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _winner(report: Report) -> Any:
    assert report.winner is not None  # noqa: S101  (gather refuses a study without one)
    return report.winner


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line([words.short(value) for value in row]) for row in rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
