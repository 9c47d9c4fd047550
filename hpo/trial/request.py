"""What the worker asks of a trial's process: plain values with a JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hpo.trial.objective import Objective, parse
from hpo.trial.operating_point import OperatingPoint, SweepPlan
from hpo.trial.vocabulary import Scalar


@dataclass(frozen=True)
class PredictionFolder:
    """Where the raw predictions of trained models are kept, so that a later sweep of one runs no inference."""

    folder: str
    """Absolute."""
    keep: int
    """So many of the files that lie there stay: those that were used last."""
    data: str
    """The dataset's fingerprint, by which they are found again."""


@dataclass(frozen=True)
class TrialRequest:
    """One attempt at one trial."""

    study: str
    number: int
    """Optuna's trial number."""
    ordinal: int
    """Position of the proposal in the study, from 0; a retry keeps it."""
    attempt: int
    """From 1, over all attempts at this ordinal."""
    folder: str
    """Absolute; the attempt's own. Everything the attempt writes lies in it."""
    model: str
    """Absolute path of a model .yaml or of weights .pt."""
    data: str
    """Absolute path of a data.yaml whose ``path`` is absolute."""
    train: dict[str, Scalar | list[Any]]
    """Ultralytics training arguments, complete but for model, data, save_dir and device."""
    objective: Objective
    operating_point: OperatingPoint | None
    """The setting that the trained model is measured at: a sampled one, or the baseline's. None: what ``sweep`` finds,
    or without one Ultralytics' own."""
    sweep: SweepPlan | None = None
    """Under ``postprocess: swept`` what is tried: after each epoch for the objective that is reported, and after the
    training where no ``operating_point`` is given."""
    predictions: PredictionFolder | None = None
    """Where the predictions that a sweep starts from are kept; None keeps nothing."""
    plots: Literal["none", "best", "all"] = "none"
    best_value: float | None = None
    """Best value of the study so far; under ``plots: best`` a trial that stays below it draws none."""
    checkpoint: str | None = None
    """Absolute path of a checkpoint to go on from, or None to start at epoch 1."""
    known_epochs: int = 0
    """Epochs that are stored already; those of the checkpoint beyond them are reported first."""
    device: str = "auto"
    """``auto`` (first GPU, else CPU), ``cpu``, or a CUDA index such as ``0``."""
    token: str = ""
    """Lease token of the attempt; its checkpoints carry it."""
    sharing: int = 1
    """Trials, this one included, that its worker trains at a time: they share the CPU's cores."""

    def to_json(self) -> str:
        own = {
            "objective": str(self.objective),
            "operating_point": None if self.operating_point is None else self.operating_point.to_dict(),
            "sweep": None if self.sweep is None else self.sweep.to_dict(),
        }
        return json.dumps({**asdict(self), **own}, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> TrialRequest:
        raw = json.loads(text)
        point, sweep, kept = raw["operating_point"], raw["sweep"], raw["predictions"]
        own = {
            "objective": parse(raw["objective"]),
            "operating_point": None if point is None else OperatingPoint.from_dict(point),
            "sweep": None if sweep is None else SweepPlan.from_dict(sweep),
            "predictions": None if kept is None else PredictionFolder(**kept),
        }
        return TrialRequest(**{**raw, **own})
