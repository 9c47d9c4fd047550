"""Divergence as it appears in a detector, not only as NaN (an exploded run can end with every loss at 0)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

EXPLOSION = 10.0
"""A class loss above this factor times its first epoch's has exploded."""
ALIVE = 0.05
"""A mAP50 above this value has learned something; falling to 0 after that is divergence.

An objective at an operating point does not count: while scores are low, nothing may lie above its confidence.
"""
DEAD_EPOCHS = 3
MAP50 = "metrics/mAP50(B)"
"""Ultralytics' name of a validation's mAP50."""


@dataclass
class DivergenceGuard:
    """Receives every epoch, and says why the training has diverged, or None. A checkpoint can hold its plain values."""

    first_cls_loss: float | None = None
    was_alive: bool = False
    dead_epochs: int = 0

    def epoch(self, values: Mapping[str, float], objective: float) -> str | None:
        """Return why the training has diverged, or None.

        ``values``: losses and metrics by Ultralytics' names (``train/cls_loss``, ``val/box_loss``, ``MAP50``, ...). Of
        the objective only this counts: where it is not finite, the scores of the detections are not.
        """
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if wrong or not math.isfinite(objective):
            return f"{', '.join(wrong) or 'the objective'} is not finite"
        cls_loss = values.get("train/cls_loss")
        if cls_loss is not None:
            if self.first_cls_loss is None:
                self.first_cls_loss = cls_loss
            elif cls_loss > EXPLOSION * self.first_cls_loss:
                first = f"{EXPLOSION:g} times the first epoch's {self.first_cls_loss:.4g}"
                return f"the class loss is {cls_loss:.4g}, over {first}"
        map50 = values.get(MAP50, 0.0)
        self.was_alive |= map50 > ALIVE
        self.dead_epochs = self.dead_epochs + 1 if map50 == 0 else 0
        if self.was_alive and self.dead_epochs >= DEAD_EPOCHS:
            return f"mAP50 had passed {ALIVE} and has been 0 for {self.dead_epochs} epochs"
        return None
