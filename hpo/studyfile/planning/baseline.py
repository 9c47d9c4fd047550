"""The arguments of trial 0, and the optimizer of a study that names none: both are resolved once, at creation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.planning.extent import fixed
from hpo.studyfile.planning.fitting import AUTO, with_range
from hpo.studyfile.planning.optimizer import resolve_optimizer
from hpo.studyfile.schema import POSTPROCESSING_NAMES, StudySpec

SAME_LENGTH = ("epochs", "imgsz", "batch", "seed")
"""Arguments that the baseline shares with the trials, so that their trainings can be compared."""
TASK = ("single_cls", "classes", "fraction", "pretrained", "freeze")
"""Arguments that define what is learned, and from what."""
MACHINE = ("amp", "device", "workers", "cache")
"""Arguments that suit the machine."""
KEPT = (*SAME_LENGTH, *TASK, *MACHINE)
STATED = ("epochs", "batch", "imgsz", "seed", "optimizer")
"""Arguments that every plan names, given or not: others depend on them, or a reader looks for them first."""
_DECADE = 10.0


@dataclass(frozen=True)
class Taken:
    """What the baseline makes of the arguments that the study fixes; names, sorted."""

    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    """What the study chose itself: it is a part of the gain over the baseline."""


def taken(spec: StudySpec) -> Taken:
    """Return which arguments of the study the baseline keeps, by ``KEPT`` or by its recipe, and which it drops.

    ``spec``: the study as its file has it; what ``resolved`` adds is not the file's.
    """
    own, recipe = fixed(spec), dict(spec.recipe)
    names = sorted({*own} - set(POSTPROCESSING_NAMES))
    kept = tuple(name for name in names if (recipe[name] == own[name] if name in recipe else name in KEPT))
    return Taken(kept, tuple(name for name in names if name not in kept))


def trial_0(spec: StudySpec, *, nc: int, train_images: int) -> dict[str, Any]:
    """Return what plain ``yolo train`` trains on the study's task, with the recipe that the file gives the baseline.

    All but what ``KEPT`` names is Ultralytics' default. The arguments are complete, and the optimizer is resolved by
    Ultralytics' rule for ``nc`` classes and ``train_images`` images.
    """
    kept = {name: value for name, value in fixed(spec).items() if name in KEPT}
    given = {**stated(), "nbs": 64, "close_mosaic": 10, **kept, **dict(spec.recipe)}
    return dict(sorted(resolve_optimizer(given, nc=nc, train_images=train_images).items()))


def former_trial_0(spec: StudySpec, *, nc: int, train_images: int) -> dict[str, Any]:
    """Return the baseline's arguments by the former rule, for a study that an older version stored without them.

    That rule kept the whole block ``train``.
    """
    given = {**stated(), "nbs": 64, "close_mosaic": 10, **spec.train_args}
    return dict(sorted(resolve_optimizer(given, nc=nc, train_images=train_images).items()))


def resolved(spec: StudySpec, *, nc: int, train_images: int) -> StudySpec:
    """Return the study with the baseline's optimizer where it names none, with its momentum and warm-up of biases.

    Left to itself, ``auto`` could choose another optimizer in each trial: it counts the iterations, and trials have
    another ``nbs``. A range that follows the optimizer becomes a decade to either side of the baseline's lr0. What the
    study samples or fixes itself stays.
    """
    if is_named(spec):
        return spec
    plain = {**arguments.defaults(), **trial_0(spec, nc=nc, train_images=train_images)}
    given = {*spec.space.names, *fixed(spec)} - {"optimizer"}
    names = ("optimizer", "lr0", "momentum", "warmup_bias_lr")
    train = {**spec.train_args, **{name: plain[name] for name in names if name not in given}}
    low, high = _rounded(plain["lr0"] / _DECADE), min(1.0, _rounded(plain["lr0"] * _DECADE))
    space = with_range(spec.space.without(("optimizer",)), low, high)
    return replace(spec, train=tuple(sorted(train.items())), space=space)


def is_named(spec: StudySpec) -> bool:
    """Return whether the study names its optimizer, or samples it."""
    return spec.space.get("optimizer") is not None or fixed(spec).get("optimizer", AUTO) != AUTO


def stated() -> dict[str, Any]:
    """Return Ultralytics' defaults of the arguments that every plan names."""
    return {name: arguments.defaults()[name] for name in STATED}


def _rounded(rate: float) -> float:
    """Return the rate to six digits, as a person would write it."""
    return float(f"{rate:.6g}")
