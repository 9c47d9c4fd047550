"""Sweeps of weights that were trained on some classes, or on all as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpo.settings import Settings
from hpo.training.measuring.predictions import PredictionsRequest
from hpo.trial.kinds import Kind
from hpo.trial.objective import parse
from hpo.trial.operating_point import SweepPlan
from hpo.wiring.sweeping import Swept, sweep
from tests.training.support import made_up, untrained

pytestmark = pytest.mark.usefixtures("ultralytics")
NAMES = ["a", "b", "c"]
PLAN = SweepPlan(kinds=(Kind.HARD,), ious=(0.5, 0.7), resamples=20)


def swept(folder: Path, names: list[str], labelled: list[int], **training: Any) -> Swept:
    weights = untrained(folder / "weights.pt", names, **training)
    request = PredictionsRequest(weights, made_up(folder / "data", NAMES, labelled), device="cpu")
    settings = Settings(folder / "home", "", "", None)
    return sweep(request, PLAN, parse("f1"), settings, lambda *_: None, test=False)


@pytest.mark.long
def test_every_class_of_the_data_is_measured_and_the_untrained_are_named(tmp_path: Path) -> None:
    found = swept(tmp_path, NAMES, [0, 1, 2], classes=[0, 2])
    assert set(found.predictions.truth_classes) == {0, 1, 2}
    assert found.cautions == ("the weights were trained on a, c alone, and b of the data are measured, too",)
    again = swept(tmp_path, NAMES, [0, 1, 2], classes=[0, 2])
    assert again.cautions == found.cautions


def test_data_of_the_trained_classes_alone_needs_no_caution(tmp_path: Path) -> None:
    assert swept(tmp_path, NAMES, [0, 2], classes=[0, 2]).cautions == ()


@pytest.mark.parametrize(("classes", "labels"), [(None, 44), ([1], 11)])
def test_where_all_classes_are_one_the_labels_of_the_trained_ones_count(
    tmp_path: Path, classes: list[int] | None, labels: int
) -> None:
    found = swept(tmp_path, ["item"], [0, 1, 2, 0], single_cls=True, classes=classes)
    assert found.predictions.names == ("item",)
    assert found.predictions.truth_classes.tolist() == [0] * labels
    assert found.cautions == ()
