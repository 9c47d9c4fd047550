"""The value of a trained model at its best post-processing: captured, swept, and written beside its weights."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.training.cache import PredictionCache, key
from hpo.training.ultralytics_internals.patches import threads_per_trial
from hpo.trial.classes import trained
from hpo.trial.messages import Ended
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, OperatingPoint, Rated, SweepPlan, SweepResult
from hpo.trial.vocabulary import Reason

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions
    from hpo.training.ultralytics_internals.yolo import TrialRun

Progress = Callable[[str, float], None]
"""Called with the stage and the share of it that is done, in [0, 1]."""


def settle(run: TrialRun, plan: SweepPlan, progress: Progress) -> Ended:
    """Sweep best.pt, which Ultralytics has just validated, and write the result into the attempt's folder.

    A training is worth more than its measurement. Where the capture or the sweep fails, the result is that of the
    validation at Ultralytics' defaults.
    """
    request, stage = run.request, "capture"
    at_defaults = _measured(run.validator.taken_predictions(), DEFAULT, request.objective)
    try:
        progress(stage, 0.0)
        predictions = _captured(run, progress)
        stage = "sweep"
        progress(stage, 0.0)
        if request.operating_point is not None:
            return _ended(run, *_measured(predictions, request.operating_point, request.objective))
        return _swept(run, plan, predictions)
    except Exception as error:  # noqa: BLE001  (whatever it is, the training is done)
        detail = f"measured at Ultralytics' defaults, because the {stage} failed: {_told(error)}"
        return _ended(run, *at_defaults, detail)


def _ended(run: TrialRun, rated: Rated, value: float, detail: str = "", swept: SweepResult | None = None) -> Ended:
    """Return the outcome of a complete trial. ``detail``: what failed, if anything; ``swept``: where it did not."""
    best, scores = run.best_epoch, metrics(rated)
    return Ended(Reason.COMPLETE, detail, run.epochs, value, scores, best, time.time(), rated.point, swept)


def _told(error: Exception) -> str:
    """Return one line for a person; the trace goes to the attempt's log."""
    traceback.print_exception(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]


def _captured(run: TrialRun, progress: Progress) -> Predictions:
    from hpo.training.ultralytics_internals import weights
    from hpo.training.ultralytics_internals.capture import InferencePass, capture

    def told(done: int, images: int) -> None:
        progress("capture", done / max(images, 1))

    loaded = weights.load(run.paths.best)
    data, imgsz, device = Path(run.request.data), run.args.imgsz, run.request.device
    over = InferencePass(data, "val", imgsz, device, loaded.single_cls, loaded.suppressed, progress=told)
    found = capture(loaded.model, "deploy", over)
    kept = run.request.predictions
    if kept is not None:
        name = key(loaded.sha256, kept.data, over.split, over.imgsz, found.capture)
        PredictionCache(Path(kept.folder), kept.keep).save(name, found, loaded.imgsz, loaded.classes)
    return found.only(trained(run.request.train.get("classes")))


def _measured(predictions: Predictions, point: OperatingPoint, objective: Objective) -> tuple[Rated, float]:
    from hpo.detection.rating import default_for, measure

    # the defaults of a head without NMS are another kind
    return measure(predictions, default_for(predictions) if point == DEFAULT else point, objective)


def _swept(run: TrialRun, plan: SweepPlan, predictions: Predictions) -> Ended:
    from hpo.detection.sweep import sweep
    from hpo.training.measuring.sweep_files import write

    request, detail = run.request, ""
    result = sweep(predictions, plan, request.objective, threads=threads_per_trial(request.sharing))
    title = f"trial {request.number} of study {request.study}"
    try:
        write(result, predictions, run.paths.folder, title=title, weights=run.paths.best, imgsz=run.args.imgsz)
    except Exception as error:  # noqa: BLE001  (what was found is in the outcome too)
        detail = f"what the sweep found could not be written beside the weights: {_told(error)}"
    return _ended(run, result.best, result.value, detail, result)


def metrics(rated: Rated) -> dict[str, float]:
    """Return a trial's five metrics: precision, recall and F1 at the setting, AP of its suppression over all
    confidences.

    So AP means the same as in every other trial, and the same as ``model.val`` reports.
    """
    scores = rated.scores
    ap = {"map50": scores["map50_all"], "map50_95": scores["map50_95_all"]}
    return ap | {name: scores[name] for name in ("precision", "recall", "f1")}
