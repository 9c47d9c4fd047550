"""A report as one HTML file that needs no other file: styles, charts and pictures are inside."""

from __future__ import annotations

from pathlib import Path

from hpo.report import charts, words
from hpo.report.facts import Report
from hpo.texts import finalized

TEMPLATE = "report.html.j2"


def render(report: Report) -> str:
    """Return the page; the template escapes everything that comes from files or people."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=finalized,
    )
    drawn = {"history": charts.history(report), "slices": charts.slices(report)}
    if report.importances:
        drawn["importances"] = charts.importances(report)
    if report.boxes is not None:
        drawn["classes"] = charts.classes(report.boxes)
    return environment.get_template(TEMPLATE).render(
        report=report,
        words=words,
        charts={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704  (drawn by us; names went through in_figure)
    )
