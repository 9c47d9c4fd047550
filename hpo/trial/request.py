"""What the worker asks of a trial's process: plain values with a JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hpo.trial.vocabulary import Metric, Scalar


@dataclass(frozen=True)
class OperatingPoint:
    """A post-processing setting."""

    iou: float
    """NMS threshold in [0, 1]: a box is dropped when its IoU with a kept one is above it."""
    conf: float
    """Confidence threshold in [0, 1]: detections with a score above it stay."""
    max_det: int = 300
    agnostic_nms: bool = False


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
    metric: Metric
    operating_point: OperatingPoint | None
    """Under ``postprocess: sampled`` the sampled setting, else None."""
    plots: Literal["none", "best", "all"] = "none"
    best_value: float | None = None
    """Best value of the study so far; under ``plots: best`` a trial that stays below it draws none."""
    checkpoint: str | None = None
    """Absolute path of a checkpoint to go on from, or None to start at epoch 1."""
    known_epochs: int = 0
    """Epochs that are stored already; those of the checkpoint beyond them are reported first."""
    device: str = "auto"
    """``auto`` (first GPU, else CPU), ``cpu``, or a CUDA index such as ``0``."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> TrialRequest:
        raw = json.loads(text)
        point = raw.pop("operating_point")
        return TrialRequest(
            **{**raw, "metric": Metric(raw["metric"])},
            operating_point=None if point is None else OperatingPoint(**point),
        )
