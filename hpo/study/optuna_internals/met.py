"""Trials that were met before, and those that are new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial


@dataclass
class Met:
    """Of a list that only grows, in the order of the trials' numbers: what was added is mostly near its end."""

    ids: set[int] = field(default_factory=set)
    """Optuna's: numbers are those of several studies where one was warm started."""

    def news(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Those of ``trials`` that no call has returned yet, by number."""
        missing = len(trials) - len(self.ids)
        found: list[FrozenTrial] = []
        for trial in reversed(trials):
            if len(found) == missing:
                break
            if trial._trial_id not in self.ids:  # noqa: SLF001  (it has no public name)
                found.append(trial)
        self.ids |= {trial._trial_id for trial in found}  # noqa: SLF001
        return found[::-1]
