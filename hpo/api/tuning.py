"""``hpo.tune``: the arguments of Ultralytics' ``model.tune``, and the file that it leaves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.api.running import OnTrial, run
from hpo.api.tuned import Tuned, write_best
from hpo.errors import Problem, SpecError, UsageError
from hpo.studyfile.arguments import arguments

if TYPE_CHECKING:
    from hpo.api.study import Study
    from hpo.api.values import Trial

SPACE: dict[str, tuple[float, float]] = {
    "lr0": (1e-5, 1e-2),
    "lrf": (0.01, 1.0),
    "momentum": (0.7, 0.98),
    "weight_decay": (0.0, 0.001),
    "warmup_epochs": (0.0, 5.0),
    "box": (1.0, 20.0),
    "cls": (0.1, 4.0),
    "cls_pw": (0.0, 1.0),
    "dfl": (0.4, 12.0),
    "hsv_h": (0.0, 0.1),
    "hsv_s": (0.0, 0.9),
    "hsv_v": (0.0, 0.9),
    "degrees": (0.0, 45.0),
    "translate": (0.0, 0.9),
    "scale": (0.0, 0.95),
    "shear": (0.0, 10.0),
    "perspective": (0.0, 0.001),
    "flipud": (0.0, 1.0),
    "fliplr": (0.0, 1.0),
    "bgr": (0.0, 1.0),
    "mosaic": (0.0, 1.0),
    "mixup": (0.0, 1.0),
    "cutmix": (0.0, 1.0),
    "close_mosaic": (0, 10),
}
"""The default space of ``model.tune`` (ultralytics 8.4.190), less what does nothing in a detector that AdamW trains on
boxes: ``warmup_momentum`` and ``copy_paste``."""
LOG_FROM = 100.0
"""A range whose upper bound is so many times its lower one is searched by its logarithm."""
_REFUSED = {
    "use_ray": "hpo runs the trials itself: leave it out",
    "val": "every epoch is validated, so that hopeless trials can be stopped: leave it out",
    "mongodb_uri": "several machines share a study through HPO_STORAGE (docs/operations.md): leave it out",
    "mongodb_db": "several machines share a study through HPO_STORAGE (docs/operations.md): leave it out",
    "mongodb_collection": "several machines share a study through HPO_STORAGE (docs/operations.md): leave it out",
}
"""Arguments of ``model.tune`` that have no meaning here where they ask for something, and the way out."""
_HARMLESS = {"use_ray": (False, None), "val": (True,), "mongodb_uri": (None,)}
"""Their values that ask for nothing."""


def tune(  # noqa: PLR0913  (the arguments of model.tune)
    model: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str],
    iterations: int = 300,
    space: Mapping[str, Sequence[float] | Mapping[str, Any]] | None = None,
    project: str | os.PathLike[str] | None = None,
    name: str | None = None,
    exist_ok: bool = False,
    resume: bool = False,
    device: str | int | None = None,
    plots: bool = True,
    save: bool = True,
    trust: Sequence[str | os.PathLike[str]] = (),
    on_trial: OnTrial | None = None,
    progress: bool | None = None,
    **train: Any,
) -> Study:
    """Tune a detector with the arguments of Ultralytics' ``model.tune``.

    Every argument is honoured or refused in words; none is ignored. The first trial trains with Ultralytics' defaults.
    What is maximized is Ultralytics' fitness (mAP50-95 on the validation split). The folder ``runs/detect/NAME`` gets
    ``best_hyperparameters.yaml`` after each trial that is the best so far, and ``weights/best.pt``.

    Args:
        model: Weights (.pt) to start from, or a model (.yaml).
        data: The data.yaml of a data set, or the name of one that Ultralytics knows, such as ``coco8.yaml``.
        iterations: Trials, from 1.
        space: Ranges ``(low, high)`` by training argument; None for those of ``model.tune``. One with ``high`` at least
            100 times a positive ``low`` is searched by its logarithm. A mapping as in a study file is taken as it is.
        project: Folder in ``runs/detect``, or an absolute one; None for ``runs/detect`` itself.
        name: Folder and study; None for ``tune``. Where it is taken, a number is appended (``tune-2``).
        exist_ok: Use a folder that is there.
        resume: Go on with the study ``name`` where it was stopped.
        device: ``cpu``, or the index of a GPU; None for the first GPU, else the CPU.
        plots: Draw Ultralytics' plots of trials that are the best so far.
        save: Keep the weights of the best trials; False keeps those of the best one.
        trust: Files of weights that may be unpickled without restriction, which can run any code of their author; as in
            ``hpo.run``.
        on_trial: Is called with each trial that has ended.
        progress: Print how it goes; None prints in a notebook only.
        **train: Training arguments of Ultralytics, the same in every trial, such as ``epochs=30``, ``imgsz=640``. The
            optimizer is AdamW unless it is named here or in ``space``, as in ``model.tune``.

    Returns:
        The study; ``study.best`` is the winner.

    Raises:
        SpecError: An argument that training does not take, or a range that makes no sense; all problems at once.
        UsageError: Nothing to resume.
        HpoError: The data set can't be had.
        KeyboardInterrupt: Ctrl-C; ``resume=True`` goes on.
    """
    fixed = _train_arguments(train, space)
    ranges: Mapping[str, Any] = _usual(fixed) if space is None else space
    place = Tuned.at(project, name, again=exist_ok or resume)
    if resume and not place.is_stored:
        raise UsageError(f"resume: there is no study {place.study!r} to go on with: leave resume out to begin one")
    study = {
        "name": place.study,
        "data": place.data(data),
        "model": os.fspath(model),
        "train": fixed,
        "space": {key: _range(key, given) for key, given in ranges.items()},
        "objective": "map50_95",
        "postprocess": "none",
        "budget": {"trials": iterations},
        "plots": "best" if plots else "none",
        "keep": {"weights": 5 if save else 1},
    }

    def ended(trial: Trial) -> None:
        write_best(place, iterations)
        if on_trial is not None:
            on_trial(trial)

    on = "auto" if device in (None, "") else str(device)
    done = run(study, device=on, trust=trust, on_trial=ended, progress=progress)
    write_best(place, iterations)
    return done


def _train_arguments(given: Mapping[str, Any], space: Mapping[str, Any] | None) -> dict[str, Any]:
    """What every trial is trained with; everything that is refused comes in one error."""
    problems = [
        Problem("tune", 0, name, f"{value!r}: {_REFUSED[name]}")
        for name, value in given.items()
        if name in _REFUSED and value not in _HARMLESS.get(name, ())
    ]
    if problems:
        raise SpecError(problems)
    rest = {name: value for name, value in given.items() if name not in _REFUSED}
    if "optimizer" not in (space or {}):
        rest.setdefault("optimizer", "AdamW")
    return rest


def _usual(train: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The default space; what counts epochs stays below those of a training."""
    last = train.get("epochs", arguments.defaults()["epochs"]) - 1
    space = {**SPACE, **{name: (0, min(SPACE[name][1], last)) for name in ("warmup_epochs", "close_mosaic")}}
    return {name: bounds for name, bounds in space.items() if bounds[0] < bounds[1]}


def _range(name: str, given: Sequence[float] | Mapping[str, Any]) -> Any:
    """A range as a study file holds it; what is no pair of numbers goes there as it is, and is refused there."""
    if isinstance(given, Mapping | str) or len(given) != 2:
        return given
    low, high = given
    if not all(isinstance(bound, int | float) for bound in given):
        return list(given)
    log = arguments.kind(name) != "whole" and low > 0 and high >= LOG_FROM * low
    return {"low": low, "high": high, **({"log": True} if log else {})}
