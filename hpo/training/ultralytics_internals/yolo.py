"""Ultralytics' training that reports each epoch, obeys the answer, and keeps the objective's best epoch."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override
from ultralytics.models.yolo.detect import DetectionTrainer, DetectionValidator
from ultralytics.utils import LOGGER

from hpo.detection.metrics import best_macro_f1, macro_at
from hpo.detection.predictions import Predictions
from hpo.training.guard import DivergenceGuard
from hpo.training.stops import Stop
from hpo.training.ultralytics_internals import checkpoint
from hpo.training.ultralytics_internals.candidates import KeepsCandidates
from hpo.training.ultralytics_internals.patches import threads_per_trial
from hpo.trial.classes import trained
from hpo.trial.messages import Answer, EpochReport
from hpo.trial.paths import AttemptPaths
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Metric, Reason

Report = Callable[[EpochReport], Answer]


class TrialValidator(DetectionValidator):
    """Keeps what the objective needs before Ultralytics clears it."""

    detections: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    """Whether each detection is a hit at IoU 0.5, its confidence, its class; and each label's class."""
    keeps_limit = False
    """Whether ``max_det`` is that of a chosen operating point."""

    @override
    def _check_max_det(self, args: Any, datasets: dict[str, Any]) -> None:
        """Keep a chosen limit of 300, too: Ultralytics takes it for its default, and raises it on dense images, where
        ``model.predict`` would not.
        """
        if not self.keeps_limit:
            super()._check_max_det(args, datasets)

    @override
    def get_stats(self) -> dict[str, Any]:
        names = ("tp", "conf", "pred_cls", "target_cls")
        tp, conf, pred_cls, target_cls = (np.concatenate(self.metrics.stats[name], 0) for name in names)
        self.detections = (tp[:, 0].astype(bool), conf, pred_cls, target_cls)
        stats: dict[str, Any] = super().get_stats()
        return stats

    def scores(self, request: TrialRequest) -> dict[str, float]:
        """Return ``map50, map50_95, precision, recall, f1``, the latter three at the request's operating point.

        Without one they are macro values at the confidence of the best macro F1.
        """
        if request.operating_point is None:
            _, at = best_macro_f1(*self.detections)
        else:
            at = macro_at(*self.detections, request.operating_point.conf)
        ap = {"map50": float(self.metrics.box.map50), "map50_95": float(self.metrics.box.map)}
        return ap | {"precision": float(at.precision), "recall": float(at.recall), "f1": float(at.f1)}

    def objective(self, request: TrialRequest) -> float:
        """Return the value for the pruner: the metric, or for a metric at an operating point the best macro F1.

        Early scores are low, and a high confidence threshold must not prune a healthy training.
        """
        match request.objective.metric:
            case Metric.MAP50_95:
                return float(self.metrics.box.map)
            case Metric.MAP50:
                return float(self.metrics.box.map50)
            case Metric.F1 | Metric.PRECISION | Metric.RECALL | Metric.MAP_SMALL | Metric.MAP_MEDIUM | Metric.MAP_LARGE:
                return float(best_macro_f1(*self.detections)[1].f1)


class SweptValidator(TrialValidator, KeepsCandidates):
    """Keeps the predictions for a sweep, in a trial under ``postprocess: swept``."""

    most_detections = 0
    """The largest limit of detections an image that the sweep tries."""
    _head: Any = None

    @override
    def init_metrics(self, model: Any) -> None:
        """Let a head without suppression put out as many boxes as the sweep tries; Ultralytics' metrics take the best
        of them, up to ``max_det``, as before.
        """
        super().init_metrics(model)
        if self.end2end:
            self._head = model.model if getattr(model, "format", None) == "pt" else model
            self._head.set_head_attr(max_det=max(self.args.max_det, self.most_detections))

    @override
    def finalize_metrics(self) -> None:
        super().finalize_metrics()
        if self._head is not None:
            self._head.set_head_attr(max_det=self.args.max_det)  # best.pt holds the head as Ultralytics would
            self._head = None

    def taken_predictions(self) -> Predictions:
        """Return the last validation's predictions once, as they may be large, of the classes that are trained.

        Raises ValueError for broken scores.
        """
        kept = self.candidates
        del self.candidates
        return kept.predictions().only(trained(self.args.classes))

    @override
    def objective(self, request: TrialRequest) -> float:
        """Return the value for the pruner: the objective at the best setting of this validation's own predictions."""
        from hpo.detection.sweep import best_value  # loads numba, which other trials need not import

        assert request.sweep is not None  # noqa: S101  (it is what this validator is for)
        try:
            predictions = self.taken_predictions()
        except ValueError as error:
            LOGGER.warning(f"no objective: {error}")
            return float("nan")  # the guard calls NaN divergence
        return best_value(predictions, request.sweep, request.objective, threads=threads_per_trial(request.sharing))


def columns(rows: Iterable[Mapping[str, str]]) -> dict[str, list[Any]]:
    """Return a table by columns; a column of whole numbers has int values, every other one float."""
    listed = list(rows)
    return {name: _numbers([row[name] for row in listed]) for name in (listed[0] if listed else ())}


def _numbers(texts: list[str]) -> list[Any]:
    try:
        return [int(text) for text in texts]
    except ValueError:
        return [float(text) for text in texts]


class TrialRun(DetectionTrainer):
    """A training by Ultralytics that reports to the worker.

    Its name has no "Trainer": Ultralytics attaches MLflow, Ray, Comet, ... to classes with that word (base.py:197).
    ``families`` has the same for other families of detectors, over their own trainers.
    """

    plain_validator: type[TrialValidator] = TrialValidator
    swept_validator: type[SweptValidator] = SweptValidator

    def __init__(self, request: TrialRequest, arguments: dict[str, Any], report: Report) -> None:
        self.request = request
        self.report = report
        self.paths = AttemptPaths(Path(request.folder))
        self.guard = DivergenceGuard()
        self.reports: list[EpochReport] = []
        self.checkpoints = checkpoint.Schedule()
        self.resumed_from = 0
        """Number of epochs taken over from a checkpoint."""
        self.best_fitness: float | None
        super().__init__(overrides=arguments)
        self.add_callback("on_fit_epoch_end", TrialRun._epoch_ended)

    @override
    def get_validator(self) -> TrialValidator:
        validator = self.plain_validator if self.request.sweep is None else self.swept_validator
        arguments = copy(self.args)
        point = self.request.operating_point
        if point is not None and point.kind.is_plain:  # a sweep's code measures the other points after the training
            # conf stays at 0.001: AP needs every detection, and a prefix of the score order is exact for any threshold
            arguments.max_det, arguments.agnostic_nms = point.max_det, point.agnostic_nms
            arguments.iou = arguments.iou if point.iou is None else point.iou
        made = validator(self.test_loader, save_dir=self.save_dir, args=arguments, _callbacks=self.callbacks)
        if isinstance(made, SweptValidator) and self.request.sweep is not None:
            made.most_detections = max(self.request.sweep.max_dets, default=0)
        made.keeps_limit = point is not None
        return made

    @override
    def validate(self) -> tuple[dict[str, float], float]:
        """Validate as Ultralytics does, with the objective as fitness: it decides which epoch is best.pt."""
        metrics = self.validator(self)
        metrics.pop("fitness", None)
        fitness = self.validator.objective(self.request)
        if self.best_fitness is None or self.best_fitness < fitness:
            self.best_fitness = fitness
        return metrics, fitness

    @override
    def _build_train_pipeline(self) -> None:
        if getattr(self, "_oom_retries", 0):
            told = f"out of memory; Ultralytics would go on with batch={self.batch_size}, which was not sampled"
            raise Stop(Reason.OOM, told)
        super()._build_train_pipeline()

    @override
    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Stop a diverged training. Ultralytics would retry the last epoch, which is not the sampled training."""
        values = {name: float(value) for name, value in self.label_loss_items(self.tloss).items()}
        values |= {name: float(value) for name, value in self.metrics.items()}
        if self.loss is not None and not bool(self.loss.isfinite()):
            values["loss"] = float(self.loss)
        diverged = self.guard.epoch(values, float(self.fitness))
        if diverged:
            raise Stop(Reason.DIVERGED, f"epoch {epoch + 1}: {diverged}")
        return False

    def draw(self) -> None:
        """Draw Ultralytics' plots of best.pt, with some predicted images; this is one more validation."""
        self.args.plots = self.validator.args.plots = True
        self.test_loader.reset()  # its processes were shut down with the training
        self.validator(model=self.best)
        self.test_loader.close()
        self.plot_metrics()

    @override
    def read_results_csv(self) -> dict[str, list[Any]]:
        """Read results.csv as Ultralytics does, without polars: that import takes 0.2 s of CPU and starts threads."""
        with self.csv.open(newline="") as file:
            return columns(csv.DictReader(file))

    @override
    def resume_training(self, ckpt: Any) -> None:
        saved = self.request.checkpoint
        if saved is None:
            return
        self.guard, self.reports = checkpoint.restore(self, Path(saved))
        self.resumed_from = self.start_epoch
        for report in self.reports[self.request.known_epochs :]:
            if self.report(report) is Answer.PRUNE:  # a wish to give back is repeated after the next epoch
                raise Stop(Reason.PRUNED)

    @property
    def best_epoch(self) -> int | None:
        """Return the best epoch, from 1; the last of equals, as Ultralytics writes best.pt at every equal fitness."""
        best = max(self.reports, key=lambda report: (report.objective, report.epoch), default=None)
        return None if best is None else best.epoch

    def _epoch_ended(self) -> None:
        if not any(name.startswith("val/") for name in self.metrics):
            return  # the extra call after the final validation is not an epoch
        values = {**self.label_loss_items(self.tloss), **self.metrics, **self.lr}
        metrics = {name.replace("(", "").replace(")", ""): float(value) for name, value in values.items()}
        report = EpochReport(self.epoch + 1, float(self.fitness), metrics, float(self.epoch_time), time.time())
        self.reports.append(report)
        self.obey(self.report(report))
        if self.checkpoints.due() and self.epoch + 1 < self.epochs:
            self.save_checkpoint()

    def save_checkpoint(self) -> None:
        with self.checkpoints.timed():
            checkpoint.save(self, (self.guard, self.reports), self.paths.checkpoints, self.request.token)
        self.checkpoints.announce(self.epoch + 1)

    def obey(self, answer: Answer) -> None:
        match answer:
            case Answer.GO_ON:
                return
            case Answer.PRUNE:
                raise Stop(Reason.PRUNED)
            case Answer.GIVE_BACK:
                if self.epoch + 1 < self.epochs:
                    self.save_checkpoint()
                    raise Stop(Reason.GIVEN_BACK)
