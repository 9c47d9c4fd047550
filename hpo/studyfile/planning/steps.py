"""The optimizer steps of a training: what decides whether there is anything to tell settings apart by."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.planning.extent import extremes
from hpo.studyfile.planning.plan import BaselinePlan, search_args
from hpo.studyfile.schema import StudySpec

FEWEST = 100
"""Number of optimizer steps below which a detector has learned next to nothing.

Measured on the scenes of the quick start, from scratch: 35 steps give mAP50 0.01, 184 steps 0.48.
"""
_DECIDING = ("batch", "nbs", "warmup_epochs")


@dataclass(frozen=True)
class Steps:
    """Numbers of optimizer steps."""

    baseline: int | None
    """None where the study has no baseline."""
    trials: tuple[int, int]
    """Fewest and most of a trial, over the space."""

    @property
    def cautions(self) -> list[str]:
        """Return a line for each kind of training that is too short, with the rule."""
        rule = f"fewer than {FEWEST} are too little to tell settings apart"
        trial = "every trial" if self.trials[1] < FEWEST else "some trials"
        few = {"the baseline": self.baseline, trial: self.trials[0]}
        ways = {"the baseline": "give it a recipe, `baseline: {train: {nbs: ...}}`, or train for more epochs"}
        return [
            f"{who}: {count} optimizer steps, {rule}: {ways.get(who, 'train for more epochs, or lower nbs or batch')}"
            for who, count in few.items()
            if count is not None and count < FEWEST
        ]


def steps(spec: StudySpec, baseline: BaselinePlan | None, train_images: int) -> Steps:
    """Return the numbers of steps of a study; ``spec`` has its optimizer resolved."""
    sampled = [name for name in _DECIDING if name in spec.searched.names]
    corners = itertools.product(*(extremes(spec, name) for name in sampled))
    counts = [
        count(search_args(spec, dict(zip(sampled, corner, strict=True))), train_images=train_images)
        for corner in corners
    ]
    first = None if baseline is None else count(baseline.train, train_images=train_images)
    return Steps(first, (min(counts), max(counts)))


def count(args: Mapping[str, Any], *, train_images: int) -> int:
    """Return the optimizer steps of a training, as Ultralytics 8.4.190 makes them (engine/trainer.py, _do_train).

    Gradients of ``nbs / batch`` batches are accumulated for a step; in warm-up that number rises from 1.
    """
    full = {**arguments.defaults(), **args}
    batch, epochs = int(full["batch"]), int(full["epochs"])
    batches = math.ceil(train_images / min(batch, train_images))
    last = batches * epochs - 1
    accumulate = min(max(round(full["nbs"] / batch), 1), batches * epochs)
    warmup = round(min(full["warmup_epochs"], max(epochs - 1, 0)) * batches)
    done, stepped = 0, -1
    for at in range(min(warmup, last) + 1 if warmup > 0 else 0):
        wanted = max(1, round(1 + (accumulate - 1) / warmup * at))
        if at - stepped >= wanted:
            done, stepped = done + 1, at
    return done + int((last - stepped) // accumulate)
