"""A value at a bound of its range is named, with what to widen, wherever the range could be wider."""

from __future__ import annotations

import pytest

from hpo.studyfile.planning.bounds import chosen_at_bounds
from hpo.trial.operating_point import OperatingPoint
from tests.studyfile.conftest import Studio

HEAD = "name: demo\ndata: data.yaml\nmodel: yolov8n.yaml\ntrain: {epochs: 8}\n"
SPACE = (
    "space: {lr0: {low: 1e-4, high: 1e-2, log: true}, mosaic: [0.0, 1.0], box: [5.0, 9.0], batch: {low: 4, high: 16}}\n"
)
INNER = {"lr0": 1e-3, "mosaic": 0.5, "box": 7.0, "batch": 8}


@pytest.mark.parametrize(
    ("name", "value", "end"),
    [
        ("lr0", 1.02e-4, "lower bound of its range [0.0001, 0.01]"),
        ("lr0", 0.00985, "upper bound of its range [0.0001, 0.01]"),
        ("box", 8.99, "upper bound of its range [5, 9]"),
        ("batch", 16, "upper bound of its range [4, 16]"),
    ],
)
def test_a_sampled_value_at_a_bound_says_what_to_widen(studio: Studio, name: str, value: float, end: str) -> None:
    spec = studio.load(text=HEAD + SPACE)
    assert chosen_at_bounds(spec, INNER, None) == ()
    (line,) = chosen_at_bounds(spec, {**INNER, name: value}, None)
    assert line.startswith(f"{name} ")
    assert end in line
    assert f"widen `space.{name}`" in line


@pytest.mark.parametrize("values", [{"mosaic": 1.0}, {"mosaic": 0.0}, {"lr0": 0.0012}, {"batch": 15}])
def test_what_can_not_be_wider_or_lies_inside_is_not_named(studio: Studio, values: dict[str, float]) -> None:
    assert chosen_at_bounds(studio.load(text=HEAD + SPACE), {**INNER, **values}, None) == ()


def test_a_swept_setting_at_a_bound_of_the_study_is_named_and_not_one_of_the_sweep_itself(studio: Studio) -> None:
    spaces = "space: {lr0: [1e-3, 1e-2], conf: [0.1, 0.5], iou: [0.5, 0.8]}\n"
    narrow = studio.load(text=HEAD + "postprocess: swept\n" + spaces)
    conf, iou = chosen_at_bounds(narrow, {"lr0": 5e-3}, OperatingPoint(iou=0.8, conf=0.1))
    assert "conf 0.1 lies at the lower bound" in conf
    assert "iou 0.8 lies at the upper bound" in iou
    assert chosen_at_bounds(narrow, {"lr0": 5e-3}, OperatingPoint(iou=0.6, conf=0.3)) == ()
    free = studio.load(text=HEAD + "postprocess: swept\nspace: {lr0: [1e-3, 1e-2]}\n")
    assert chosen_at_bounds(free, {"lr0": 5e-3}, OperatingPoint(iou=0.9, conf=0.001)) == ()
