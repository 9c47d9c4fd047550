"""Optimizer steps are counted as Ultralytics makes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hpo.studyfile.planning import plan
from hpo.studyfile.planning.baseline import resolved
from hpo.studyfile.planning.steps import count, steps
from tests.studyfile.conftest import Studio

HEAD = "name: demo\ndata: data.yaml\nmodel: yolov8n.yaml\n"


def _walked(images: int, *, epochs: int, batch: int, nbs: int, warmup_epochs: float) -> int:
    """Walk through every batch as engine/trainer.py (8.4.190) does."""
    batches = math.ceil(images / min(batch, images))
    accumulate = full = min(max(round(nbs / batch), 1), batches * epochs)
    warmup = min(warmup_epochs, max(epochs - 1, 0))
    nw, last, done = round(warmup * batches) if warmup > 0 else 0, -1, 0
    for ni in range(batches * epochs):
        if nw and ni <= nw:
            accumulate = max(1, int(np.interp(ni, [0, nw], [1, full]).round()))
        if ni - last >= accumulate:
            done, last = done + 1, ni
    return done


@pytest.mark.parametrize("images", [7, 98, 180, 205])
@pytest.mark.parametrize(
    "args",
    [
        {"epochs": 8, "batch": 8, "nbs": 64, "warmup_epochs": 3.0},
        {"epochs": 8, "batch": 8, "nbs": 8, "warmup_epochs": 1.0},
        {"epochs": 14, "batch": 16, "nbs": 64, "warmup_epochs": 0.0},
        {"epochs": 1, "batch": 4, "nbs": 64, "warmup_epochs": 3.0},
        {"epochs": 5, "batch": 16, "nbs": 40, "warmup_epochs": 2.5},
        {"epochs": 2, "batch": 64, "nbs": 1000, "warmup_epochs": 1.0},
    ],
)
def test_steps_are_counted_by_accumulation_and_its_ramp_in_warm_up(images: int, args: dict[str, Any]) -> None:
    assert count(args, train_images=images) == _walked(images, **args)


def test_plain_yolo_train_makes_35_steps_on_the_scenes_of_the_quick_start() -> None:
    assert count({"epochs": 8, "batch": 8}, train_images=180) == 35
    assert count({"epochs": 8, "batch": 8, "nbs": 8}, train_images=180) == 184


def test_a_study_has_the_steps_of_its_baseline_and_those_of_its_trials_over_the_space(studio: Studio) -> None:
    spec = studio.load(text=HEAD + "train: {epochs: 8}\nspace: {batch: {choices: [4, 8, 16]}}\n")
    whole = resolved(spec, nc=4, train_images=180)
    found = steps(whole, plan.baseline(spec, nc=4, train_images=180), 180)
    assert found.trials == (96, 360)
    assert found.baseline == count({"epochs": 8}, train_images=180)
    baseline, some = found.cautions
    assert baseline.startswith("the baseline: ")
    assert some == (
        "some trials: 96 optimizer steps, fewer than 100 are too little to tell settings apart: "
        "train for more epochs, or lower nbs or batch"
    )
    assert steps(whole, None, 180).cautions == [some]
