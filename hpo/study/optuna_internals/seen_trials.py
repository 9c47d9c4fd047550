"""A record of the trials already seen, which finds the unseen ones in a study's growing list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial

NEEDS = {FrozenTrial: ("_trial_id",)}
"""Optuna's private names that this module uses (see ``substitutes``)."""


@dataclass
class SeenTrials:
    """Remembers trials by Optuna's id: numbers repeat where a study learns from earlier ones."""

    ids: set[int] = field(default_factory=set)

    def unseen(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Return the trials that no earlier call was given, in their order, and remember them.

        ``trials`` holds every trial that an earlier call was given, and is sorted by number. A new trial has a high
        number, so the search begins at the end and stops when as many are found as were added.
        """
        missing = len(trials) - len(self.ids)
        found: list[FrozenTrial] = []
        for trial in reversed(trials):
            if len(found) == missing:
                break
            if trial._trial_id not in self.ids:  # noqa: SLF001  (it has no public name)
                found.append(trial)
        self.ids |= {trial._trial_id for trial in found}  # noqa: SLF001
        return found[::-1]
