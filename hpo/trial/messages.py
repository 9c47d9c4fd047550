"""Messages from a trial's process to its worker, and the answers. Each has a JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, get_args

from hpo.trial.operating_point import OperatingPoint, SweepResult
from hpo.trial.vocabulary import Reason, Scalar


@dataclass(frozen=True)
class Started:
    """The model is built and the data is loaded. It states what will really be trained."""

    effective: dict[str, Scalar]
    """Training arguments as Ultralytics resolved them: batch, optimizer, lr0, ..., and the device and versions."""
    resumed_from: int = 0
    """Number of epochs taken over from a checkpoint; 0 where the requested checkpoint could not be used."""


@dataclass(frozen=True)
class Progress:
    """A sign of life: a batch of training or validation, or a stage."""

    stage: str
    """Name of the stage: ``load``, ``train``, ``val``, ``final``, ``capture`` or ``sweep``."""
    epoch: int
    """Number of the epoch that is being trained, from 1; 0 before the first."""
    fraction: float
    """The part of the epoch or the stage that is done, in [0, 1]."""


@dataclass(frozen=True)
class Memory:
    """The process uses more memory of its device (on a CPU, of the host) than it reported before."""

    mib: float


@dataclass(frozen=True)
class EpochReport:
    """The end of an epoch. The process waits for an ``Answer`` before it goes on."""

    epoch: int
    """Number of the epoch, from 1."""
    objective: float
    """Value for the pruner, in [0, 1]; the epoch with the largest one is best.pt."""
    metrics: dict[str, float]
    """Values by the names that Ultralytics' callback uses, without brackets: ``metrics/mAP50-95B``, ``train/box_loss``,
    ``lr/pg0``.
    """
    seconds: float
    """Wall time of the epoch in seconds."""
    recorded_at: float
    """Unix time in seconds."""


@dataclass(frozen=True)
class Checkpointed:
    """A checkpoint with ``epoch`` epochs is in place."""

    epoch: int


@dataclass(frozen=True)
class Ended:
    """The last message of an attempt. A process that ends without it crashed or was killed."""

    reason: Reason
    detail: str
    """One line for a person. It is empty for pruned, and for complete unless the sweep failed."""
    epochs: int
    """Number of epochs that were trained in full, over this attempt and those that it resumed."""
    value: float | None
    """The objective of best.pt, for complete only; under ``postprocess: swept`` cross-validated over images."""
    metrics: dict[str, float]
    """``map50, map50_95, precision, recall, f1`` of best.pt (complete), of the last epoch (pruned), or empty."""
    best_epoch: int | None
    """Number of the epoch of best.pt, from 1."""
    recorded_at: float
    """Unix time in seconds."""
    operating_point: OperatingPoint | None = None
    """The setting that value and metrics hold at. It is set for complete only, where the request names none."""
    swept: SweepResult | None = None
    """The result of the sweep of best.pt. It is set for complete only, and only where a sweep was requested and ran."""


Message = Started | Progress | Memory | EpochReport | Checkpointed | Ended

_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}


class Answer(StrEnum):
    """The worker's answer to an ``EpochReport``."""

    GO_ON = "go_on"
    PRUNE = "prune"
    GIVE_BACK = "give_back"


def encode(message: Message) -> bytes:
    fields = _outcome(message) if isinstance(message, Ended) else asdict(message)
    return json.dumps({"kind": type(message).__name__, **fields}).encode()


def _outcome(ended: Ended) -> dict[str, Any]:
    own = {
        "operating_point": None if ended.operating_point is None else ended.operating_point.to_dict(),
        "swept": None if ended.swept is None else ended.swept.to_dict(),
    }
    return vars(ended) | own


def decode(raw: bytes) -> Message:
    fields = json.loads(raw)
    kind = _KINDS[fields.pop("kind")]
    if kind is Ended:
        point, swept = fields.get("operating_point"), fields.get("swept")
        fields |= {
            "reason": Reason(fields["reason"]),
            "operating_point": None if point is None else OperatingPoint.from_dict(point),
            "swept": None if swept is None else SweepResult.from_dict(swept),
        }
    return kind(**fields)
