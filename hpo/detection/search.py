"""The best of all settings of a kind: on all images of a split, and on those without each fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo.detection.choice import Chooser
from hpo.detection.curves import Labels
from hpo.detection.events import Events, every
from hpo.detection.evidence import Chosen, areas_of
from hpo.detection.predictions import EVERY_SIZE, Predictions
from hpo.trial.kinds import Kind
from hpo.trial.objective import Objective
from hpo.trial.operating_point import OperatingPoint, SweepPlan


@dataclass
class Found:
    """The best of some settings: on all images, and on those without each fold."""

    whole: Chosen
    """The best on all images."""
    without: list[Chosen]
    """The best on the images outside each fold, by the fold's number."""
    settings: int = 0
    """Suppression settings that were tried."""
    points: int = 0
    """Distinct confidences that were tried, over all settings."""


@dataclass(frozen=True)
class SettingsSearch:
    """Goes through the settings of a kind, with every subset of images at once."""

    predictions: Predictions
    plan: SweepPlan
    objective: Objective
    chooser: Chooser
    subsets: tuple[tuple[Labels, Labels], ...]
    """Labels of all images, then of all without each fold; each also of the objective's range of sizes."""
    threads: int

    @staticmethod
    def of(
        predictions: Predictions, plan: SweepPlan, objective: Objective, fold: NDArray[np.int64] | None, threads: int
    ) -> SettingsSearch:
        """Prepare a search.

        Args:
            predictions: Candidates and labels of I images.
            plan: Names the settings that are tried.
            objective: What is optimized.
            fold: (I,) the fold of each image; None searches on all images alone.
            threads: Threads that share the blocks of images.

        Returns:
            The search; nothing is computed yet.
        """
        masks: list[NDArray[np.bool_] | None] = [None]
        if fold is not None and len(predictions) > 1:
            masks += [fold != k for k in range(int(fold.max()) + 1)]
        areas = areas_of(objective)
        subsets = tuple((Labels.of(predictions, mask), Labels.of(predictions, mask, areas)) for mask in masks)
        chooser = Chooser(objective, plan.conf, predictions.names, plan.per_class)
        return SettingsSearch(predictions, plan, objective, chooser, subsets, threads)

    def run(self, kind: Kind) -> Found:
        """Try all settings of a kind with every confidence; the first of equal settings wins.

        Args:
            kind: The kind of suppression.

        Returns:
            The best setting on all images, and on those without each fold (without folds: the best one again).
        """
        best: list[Chosen | None] = [None] * len(self.subsets)
        chooser = self.chooser if kind.row.by_class else replace(self.chooser, per_class=False)
        settings = points = 0
        kept: dict[OperatingPoint, int] = {}
        for events, sized in self._groups(kind):
            settings += len(events.settings)
            for bit, setting in enumerate(events.settings):
                picked = events.at(bit)
                unlimited = replace(setting, max_det=0)
                if kept.get(unlimited) == len(picked):  # a lower limit cut nothing: this one is the same setting
                    continue
                kept[unlimited] = len(picked)
                measured = picked if sized is events else sized.at(bit)
                for index, (labels, counted) in enumerate(self.subsets):
                    choice = chooser.choose(picked, setting, labels, (measured, counted))
                    points += choice.points if index == 0 else 0
                    before = best[index]
                    if choice.better_than(None if before is None else before.choice):
                        best[index] = Chosen(choice, measured)
        whole, *without = [chosen for chosen in best if chosen is not None]
        return Found(whole, without or [whole], settings, points)

    def _groups(self, kind: Kind) -> Iterator[tuple[Events, Events]]:
        """Groups of settings, matched at every size, and at the objective's range of sizes."""
        areas = areas_of(self.objective)
        plain = every(self.predictions, self.plan, kind, threads=self.threads)
        if areas == EVERY_SIZE:
            return ((events, events) for events in plain)
        return zip(plain, every(self.predictions, self.plan, kind, areas=areas, threads=self.threads), strict=True)
