"""The value of a trained model at its best post-processing: captured, swept, and written beside its weights."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.training.cache import PredictionCache, key
from hpo.training.ultralytics_internals.patches import threads_per_trial
from hpo.trial.operating_point import DEFAULT, OperatingPoint, Rated, SweepPlan, SweepResult
from hpo.trial.request import TrialRequest

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions
    from hpo.training.ultralytics_internals.yolo import TrialRun

Progress = Callable[[str, float], None]
"""Called with the stage and the share of it that is done, in [0, 1]."""


@dataclass(frozen=True)
class Settled:
    """The outcome of a trial under ``postprocess: swept``."""

    value: float
    metrics: dict[str, float]
    point: OperatingPoint
    """Setting that both hold at."""
    detail: str = ""
    """Cause of a failure, where the value is that of Ultralytics' defaults instead of the sweep's; else empty."""
    swept: SweepResult | None = None
    """The whole result of the sweep; None where it failed."""


def settle(run: TrialRun, plan: SweepPlan, progress: Progress) -> Settled:
    """Sweep best.pt, which Ultralytics has just validated, and write the result into the attempt's folder.

    A training is worth more than its measurement. Where the capture or the sweep fails, the result is that of the
    validation at Ultralytics' defaults.
    """
    fallback = _at_defaults(run)
    stage = "capture"
    try:
        progress(stage, 0.0)
        predictions = _captured(run, progress)
        stage = "sweep"
        progress(stage, 0.0)
        if run.request.operating_point is not None:
            return _measured(run.request, run.request.operating_point, predictions)
        return _swept(run, plan, predictions)
    except Exception as error:  # noqa: BLE001  (whatever it is, the training is done)
        told = _told(error)
        return replace(fallback, detail=f"measured at Ultralytics' defaults, because the {stage} failed: {told}")


def _told(error: Exception) -> str:
    """Return one line for a person; the trace goes to the attempt's log."""
    traceback.print_exception(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]


def _at_defaults(run: TrialRun) -> Settled:
    from hpo.detection.rating import default_for, measure

    predictions = run.validator.taken_predictions()
    rated, value = measure(predictions, default_for(predictions), run.request.objective)
    return Settled(value, metrics(rated), rated.point)


def _captured(run: TrialRun, progress: Progress) -> Predictions:
    from hpo.training.ultralytics_internals import weights
    from hpo.training.ultralytics_internals.capture import InferencePass, capture

    loaded = weights.load(run.paths.best)
    over = InferencePass(
        data=Path(run.request.data),
        split="val",
        imgsz=run.args.imgsz,
        device=run.request.device,
        single_cls=loaded.single_cls,
        end2end=loaded.suppressed,
        progress=lambda done, images: progress("capture", done / max(images, 1)),
    )
    found = capture(loaded.model, "deploy", over)
    kept = run.request.predictions
    if kept is not None:
        name = key(loaded.sha256, kept.data, over.split, over.imgsz, found.capture)
        PredictionCache(Path(kept.folder), kept.keep).save(name, found, loaded.imgsz)
    return found


def _measured(request: TrialRequest, point: OperatingPoint, predictions: Predictions) -> Settled:
    from hpo.detection.rating import default_for, measure

    # the defaults of a head without NMS are another kind
    rated, value = measure(predictions, default_for(predictions) if point == DEFAULT else point, request.objective)
    return Settled(value, metrics(rated), rated.point)


def _swept(run: TrialRun, plan: SweepPlan, predictions: Predictions) -> Settled:
    from hpo.detection.sweep import sweep

    result = sweep(predictions, plan, run.request.objective, threads=threads_per_trial(run.request.sharing))
    detail = ""
    try:
        _write(result, predictions, run)
    except Exception as error:  # noqa: BLE001  (what was found is in the outcome too)
        detail = f"what the sweep found could not be written beside the weights: {_told(error)}"
    return Settled(result.value, metrics(result.best), result.best.point, detail, result)


def metrics(rated: Rated) -> dict[str, float]:
    """Return a trial's five metrics: precision, recall and F1 at the setting, AP of its suppression over all
    confidences.

    So AP means the same as in every other trial, and the same as ``model.val`` reports.
    """
    scores = rated.scores
    return {
        "map50": scores["map50_all"],
        "map50_95": scores["map50_95_all"],
        **{name: scores[name] for name in ("precision", "recall", "f1")},
    }


def _write(result: SweepResult, predictions: Predictions, run: TrialRun) -> None:
    from hpo.training.measuring.sweep_files import SweepSource, write

    title = f"trial {run.request.number} of study {run.request.study}"
    write(result, predictions, SweepSource(title, run.paths.best, run.args.imgsz), run.paths.folder)
