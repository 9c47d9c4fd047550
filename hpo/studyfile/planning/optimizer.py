"""The optimizer that Ultralytics chooses where none is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hpo.studyfile.arguments import arguments

_AUTO_ITERATIONS = 10_000


def resolve_optimizer(args: Mapping[str, Any], *, nc: int, train_images: int) -> dict[str, Any]:
    """Replace ``optimizer: auto`` by what Ultralytics 8.4.190 makes of it (engine/trainer.py, build_optimizer).

    More than 10,000 iterations: MuSGD with lr0 0.01; otherwise AdamW with lr0 by the number of classes. Both start with
    momentum (beta1) 0.9, and the bias warms up from 0. For MuSGD warm-up then ramps the momentum to the argument
    ``momentum``. `auto` leaves that argument alone, so it is the value it trains with; without warm-up it stays at 0.9.
    """
    if args["optimizer"] != "auto":
        return dict(args)
    classes = 1 if args.get("single_cls") else nc
    iterations = math.ceil(train_images / max(args["batch"], args["nbs"])) * args["epochs"]
    full = {**arguments.defaults(), **args}
    if iterations > _AUTO_ITERATIONS:
        warms_up = min(full["warmup_epochs"], args["epochs"] - 1) > 0
        chosen = {"optimizer": "MuSGD", "lr0": 0.01, "momentum": full["momentum"] if warms_up else 0.9}
    else:
        chosen = {"optimizer": "AdamW", "lr0": round(0.002 * 5 / (4 + classes), 6), "momentum": 0.9}
    return {**args, **chosen, "warmup_bias_lr": 0.0}
