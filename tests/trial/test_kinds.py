"""The rows of the kinds of suppression."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import pytest

from hpo.trial import wording
from hpo.trial.kinds import SUPPRESSING, Axis, Kind
from hpo.trial.operating_point import DEFAULT, OperatingPoint, SweepPlan

PAGE = (Path(__file__).parents[2] / "docs" / "operating-point.md").read_text(encoding="utf-8")


def test_a_kind_is_the_same_wherever_it_was_sent() -> None:
    for kind in Kind:
        assert Kind(kind.value) is pickle.loads(pickle.dumps(kind)) is copy.deepcopy(kind) is kind  # noqa: S301  (our own)
    assert {*SUPPRESSING, Kind.NONE} == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_the_page_describes_every_kind_with_its_source(kind: Kind) -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| `{kind}` |")]
    assert len(lines) == 1, f"docs/operating-point.md: no row of {kind}"
    assert kind.row.paper is None or f"[{kind.row.paper[0]}]({kind.row.paper[1]})" in lines[0]


@pytest.mark.parametrize("kind", SUPPRESSING)
def test_a_row_agrees_with_itself(kind: Kind) -> None:
    assert kind.row.does
    assert kind.row.axes
    assert all(SweepPlan().axis(axis) for axis in Axis)
    assert kind.is_plain == OperatingPoint(0.5, 0.5, kind=kind).is_plain
    assert not OperatingPoint(0.5, 0.5, kind=kind, per_class_conf=(0.5,)).is_plain
    assert kind.is_plain or kind.row.named, "what Ultralytics does not do is told by its name"
    assert re.match(rf"`{kind}` is ", wording.suppression(OperatingPoint(0.5, 0.5, kind=kind)))


def test_ultralytics_defaults_are_a_plain_kind() -> None:
    assert DEFAULT.kind.is_plain
    assert not DEFAULT.kind.row.named
