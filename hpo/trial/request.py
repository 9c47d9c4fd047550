"""The worker's request to a trial's process: plain values with a JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hpo.trial.objective import Objective, parse
from hpo.trial.operating_point import OperatingPoint, SweepPlan
from hpo.trial.vocabulary import Scalar


@dataclass(frozen=True)
class PredictionFolder:
    """The folder for raw predictions of trained models: a later sweep of such a model then runs no inference."""

    folder: str
    """Absolute path."""
    keep: int
    """Number of files that stay in the folder: those that were used last."""
    data: str
    """Fingerprint of the dataset; predictions are found again by it."""


@dataclass(frozen=True)
class TrialRequest:
    """One attempt at one trial."""

    study: str
    number: int
    """Optuna's number of the trial."""
    ordinal: int
    """Position of the proposal in the study, from 0; a retry keeps it."""
    attempt: int
    """Number of the attempt, from 1, over all attempts at this ordinal."""
    folder: str
    """Absolute path of the attempt's own folder. The attempt writes only there."""
    model: str
    """Absolute path of a model .yaml or of weights .pt."""
    data: str
    """Absolute path of a data.yaml with an absolute ``path``."""
    train: dict[str, Scalar | list[Any]]
    """Ultralytics training arguments, complete except model, data, save_dir and device."""
    objective: Objective
    operating_point: OperatingPoint | None
    """The setting at which the trained model is measured: a sampled one, or the baseline's.

    None: the setting that ``sweep`` finds, or without a sweep Ultralytics' own.
    """
    sweep: SweepPlan | None = None
    """The settings to try under ``postprocess: swept``.

    They are tried after each epoch for the reported objective, and after the training where no ``operating_point`` is
    given.
    """
    predictions: PredictionFolder | None = None
    """Folder for the predictions that a sweep starts from; None keeps none."""
    cache: str | None = None
    """Absolute path of a folder for what is kept of the data's files: labels, repaired and decoded images; None keeps
    nothing.
    """
    plots: Literal["none", "best", "all"] = "none"
    best_value: float | None = None
    """Best value of the study so far; under ``plots: best`` a trial with a lower value draws no plots."""
    checkpoint: str | None = None
    """Absolute path of a checkpoint to resume from, or None to start at epoch 1."""
    known_epochs: int = 0
    """Number of epochs that are stored already; further epochs of the checkpoint are reported first."""
    device: str = "auto"
    """``auto`` (first GPU, else CPU), ``cpu``, or a CUDA index such as ``0``."""
    token: str = ""
    """Lease token of the attempt; its checkpoints carry it."""
    sharing: int = 1
    """Number of trials, this one included, that the worker trains at a time: they share the CPU's cores."""
    trusted: tuple[str, ...] = ()
    """sha256 of each file of weights that the study's creator trusted: it may be unpickled without restriction."""

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
            "trusted": tuple(raw["trusted"]),
        }
        return TrialRequest(**{**raw, **own})
