"""Both forms show the facts of the rows; the page needs no other file and never shows text as markup."""

from __future__ import annotations

import dataclasses
import functools
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from typing_extensions import override

from hpo.dataset.boxes import BoxFacts
from hpo.report import html, markdown, words
from hpo.report.facts import MAX_ROWS, Report, cost, settings
from hpo.study.plots.importance import importances
from hpo.study.records import TrialRow, WarmStart
from hpo.study.status import BudgetRow, Finish, StatusRow, StudyState
from hpo.studyfile.space import FloatRange
from hpo.trial.vocabulary import Reason
from tests.tracking.support import make_rows, make_study, make_trial

REASONS = [Reason.COMPLETE] * 12 + [Reason.PRUNED, Reason.CRASH]


def make_report(count: int = 12, **changes: Any) -> Report:
    return dataclasses.replace(_made(count), **changes)


@functools.cache
def _made(count: int) -> Report:
    rows = list(make_rows([*[Reason.COMPLETE] * count, Reason.PRUNED, Reason.CRASH]).by_number.values())
    rows[0] = dataclasses.replace(rows[0], baseline=True)
    study = make_study()
    split = {"images": 40, "labelled": 36, "background": 4, "boxes": 120, "polygons": 0}
    facts = dataclasses.replace(study.facts, dataset={"splits": {"train": split, "val": split}})
    study = dataclasses.replace(study, facts=facts)
    winner = max((row for row in rows if row.value is not None), key=lambda row: row.value or 0.0)
    status = StatusRow(
        name=study.name,
        state=StudyState.FINISHED,
        finished=Finish.BUDGET,
        budget=BudgetRow(14, None, 14, 14, 1.0),
        counts={},
        best=winner,
        workers=(),
    )
    return Report(
        study=study,
        status=status,
        trials=tuple(rows),
        winner=winner,
        baseline=rows[0],
        settings=settings(study.spec, winner, rows[0]),
        importances=importances(study.spec, rows),
        cost=cost(rows, winner, rows[0]),
        boxes=BoxFacts({"a$b^c_d^e$\x1b]0;": 3, "<b>": 1}, 1, 2, 1, (0.1, 0.2, 0.3), 4),
        written_at=datetime(2026, 3, 2, tzinfo=UTC),
    )


class Page(HTMLParser):
    """Links and sources of a page, and whether its tags are balanced."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input", "path", "use", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_needs_nothing_beside_it() -> None:
    page = Page(html.render(make_report(pictures=("data:image/jpeg;base64,AAAA",))))
    assert page.open == []
    assert page.references
    assert all(reference.startswith(("#", "data:")) for reference in page.references), page.references
    assert "@import" not in html.render(make_report())
    assert "<script" not in html.render(make_report())


def test_text_of_files_and_people_is_no_markup() -> None:
    report = make_report()
    evil = dataclasses.replace(report.trials[0], params={**report.trials[0].params, "optimizer": "<script>x</script>"})
    told = html.render(dataclasses.replace(report, trials=(evil, *report.trials[1:]), verdict=("<b>beats</b>",)))
    assert "<script>x" not in told
    assert "<b>beats" not in told
    assert "&lt;b&gt;beats" in told


def test_names_are_drawn_as_they_are_and_open_nothing_in_markdown() -> None:
    report = make_report(verdict=("[beats](javascript:x) <b>\x1b]0;",))
    assert r"a$b^c_d^e$\x1b]0;" in html.render(report)
    assert "\x1b" not in html.render(report) + markdown.render(report)
    assert r"> \[beats\](javascript:x) \<b>\\x1b\]0;" in markdown.render(report)


@pytest.mark.parametrize("render", [html.render, markdown.render], ids=["html", "md"])
def test_both_forms_hold_the_winner_the_trials_and_the_verdict(render: Any) -> None:
    report = make_report()
    told = render(report)
    assert report.winner is not None
    assert f"trial {report.winner.number} with" in told
    assert "hpo confirm digits" in told
    assert "crash" in told
    assert words.short(report.winner.value) in told
    assert "weight_decay" in told
    confirmed = render(dataclasses.replace(report, verdict=("beats the defaults by 3.1 points",)))
    assert "beats the defaults by 3.1 points" in confirmed
    assert "Not confirmed" not in confirmed


@pytest.mark.parametrize("render", [html.render, markdown.render], ids=["html", "md"])
def test_what_a_warm_start_took_over_is_said(render: Any) -> None:
    report = make_report()
    assert "Warm start" not in render(report)
    warm = WarmStart(told=["cells: its confirmed best, trial 7", "cells: 30 finished trials taken as history"])
    study = dataclasses.replace(report.study, facts=dataclasses.replace(report.study.facts, warm=warm))
    told = render(dataclasses.replace(report, study=study))
    assert (
        "Warm start from cells: its confirmed best, trial 7; from cells: 30 finished trials taken as history." in told
    )


@pytest.mark.parametrize("render", [html.render, markdown.render], ids=["html", "md"])
def test_what_val_can_not_show_is_said(render: Any) -> None:
    report = make_report()
    assert "are in train" not in render(report)
    dataset = {**report.study.facts.dataset, "in_train": 7}
    study = dataclasses.replace(report.study, facts=dataclasses.replace(report.study.facts, dataset=dataset))
    assert "7 of 40 images of val are in train, too" in render(dataclasses.replace(report, study=study))


@pytest.mark.long
def test_a_large_study_shows_its_best_trials_and_says_how_many_there_are() -> None:
    report = make_report(300)
    told = html.render(report)
    assert len(re.findall(r'<tr class="[a-z]*"><td', told)) == MAX_ROWS
    assert f"{MAX_ROWS} of {len(report.trials)} trials" in told
    assert len(told) < 2_000_000


def test_a_study_without_data_here_says_so() -> None:
    told = html.render(make_report(boxes=None))
    assert "not on the machine that wrote this report" in told


def test_a_baseline_that_wins_is_said_to_win() -> None:
    report = make_report()
    told = words.standing(dataclasses.replace(report, winner=report.trials[0]))
    assert "keep the defaults" in told


def test_the_settings_are_the_searched_ones_and_what_else_differs() -> None:
    report = make_report()
    assert report.winner is not None
    winner = dataclasses.replace(report.winner, train={**report.winner.train, "cos_lr": True, "momentum": 0.937})
    found = {row.name: row for row in settings(report.spec, winner, None)}
    assert set(report.spec.searched.names) <= set(found)
    assert (found["cos_lr"].default, found["cos_lr"].winner, found["cos_lr"].searched) == (False, True, False)
    assert "momentum" not in found, "it is Ultralytics' default"


def test_hours_are_told_by_what_became_of_them() -> None:
    rows: list[TrialRow] = [make_trial(number, reason) for number, reason in enumerate(REASONS)]
    spent = cost(rows, rows[1], rows[0])
    each = {Reason.COMPLETE: spent.complete / 12, Reason.PRUNED: spent.pruned, Reason.CRASH: spent.failed}
    for row in rows:
        assert row.reason is not None
        (attempt,) = row.attempts
        assert attempt.ended_at is not None
        assert each[row.reason] * 3600 == pytest.approx((attempt.ended_at - attempt.started_at).total_seconds())
    assert spent.total == pytest.approx(spent.complete + spent.pruned + spent.failed)
    assert spent.gain_per_hour == pytest.approx(100 * ((rows[1].value or 0) - (rows[0].value or 0)) / spent.total)


def test_what_the_best_trial_has_at_a_bound_is_said_in_both_forms() -> None:
    made = make_report()
    low = made.spec.space.get("lr0")
    assert low is not None
    assert isinstance(low.domain, FloatRange)
    at = dataclasses.replace(made, winner=dataclasses.replace(made.winner, params={"lr0": low.domain.low}))
    for render in (html.render, markdown.render):
        assert "lies at the lower bound" in render(at).replace("\\", "")
        assert "lies at the lower bound" not in render(made)
