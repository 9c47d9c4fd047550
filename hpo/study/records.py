"""Plain frozen values that the study's readers and writers exchange; they contain no Optuna and no SQLAlchemy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from hpo.studyfile.schema import STAGE_SUFFIX, StudySpec
from hpo.studyfile.stage import StagePlan
from hpo.trial import wording
from hpo.trial.operating_point import DEFAULT, OperatingPoint, SweepResult
from hpo.trial.vocabulary import Reason, Scalar, TrialState


@dataclass(frozen=True)
class Identity:
    """The facts that must not change under a stored study's name."""

    data_fingerprint: str
    model_sha256: str
    """sha256 of the model YAML's text or of the weights file."""


@dataclass(frozen=True)
class WarmStart:
    """What a study took over from earlier ones when it was made. Later changes of those studies have no effect."""

    proposals: list[dict[str, Scalar]] = field(default_factory=list)
    """Proposals that are tried first, after ``search.enqueue``."""
    history: dict[str, list[int]] = field(default_factory=dict)
    """Numbers of the finished trials that samplers and pruners see too, by the uuid of their study."""
    told: list[str] = field(default_factory=list)
    """Messages for a person: what was taken, and what was not and why."""


@dataclass(frozen=True)
class Facts:
    """Facts stored beside the spec for people and for other nodes; of them ``train_files`` and ``versions`` are
    compared when a study is joined.
    """

    model_yaml: str | None
    """Text of the model YAML; None for weights."""
    dataset: dict[str, Any]
    """``DatasetSummary`` as a dict."""
    versions: dict[str, str]
    """Versions of hpo, python, optuna, torch, ultralytics and mlflow."""
    weights: str | None = None
    """Artifact URI of the starting weights; None until the whole file is uploaded."""
    warm: WarmStart = WarmStart()
    train_files: dict[str, str] | None = None
    """sha256 of each file of weights that an argument under ``train`` names; None in studies of older versions."""
    data_changes: list[dict[str, Any]] = field(default_factory=list)
    """Each time that a person let the study go on with other bytes of its data: at, by, before, after, changed, files,
    and the earlier fingerprints of the splits.
    """
    trusted: dict[str, str] = field(default_factory=dict)
    """sha256 of each file of weights that the study's creator trusted, by the path that was named."""
    baseline: dict[str, Any] | None = None
    """Complete training arguments of the baseline, resolved when the study was made; None in studies of older versions.
    """
    said: list[str] | None = None
    """Keys that the study file itself wrote; the rest of the spec is from defaults, parts of the space and the data.
    None in studies of older versions and in confirmation stages.
    """

    @property
    def binding_versions(self) -> dict[str, str]:
        """Return the versions that a worker must have. Of a study that an older version made, hpo's own is none of
        them: such a study goes on after an upgrade.
        """
        old = self.train_files is None
        return {name: version for name, version in self.versions.items() if not (old and name == "hpo")}

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Facts:
        """Return the value that ``asdict`` gave; studies stored by an older version have no ``warm``.

        Raises ValueError where ``dataset`` lacks what every page about a study shows.
        """
        dataset = raw["dataset"]
        counted = all("images" in split for split in dataset["splits"].values())
        if not (counted and isinstance(dataset.get("names", []), list)):
            raise ValueError("its dataset has no list of names, or a split without its images")
        return cls(**{**raw, "warm": WarmStart(**raw.get("warm", {}))})

    @property
    def cautions(self) -> list[str]:
        """Return what values on val can't show; studies of older versions did not compare its images with train."""
        return [*wording.cautions(self.val_images, int(self.dataset.get("in_train", 0))), *self.data_notes]

    @property
    def data_notes(self) -> list[str]:
        """Return a sentence for each change of the data within the study."""
        return [wording.data_change(change["at"], change["by"], change["files"]) for change in self.data_changes]

    def has_seen(self, split: str, fingerprint: str | None) -> bool:
        """Return whether ``split`` has, or had within this study, the content with this fingerprint."""
        states = [self.dataset.get("split_fingerprints", {}), *(change["splits"] for change in self.data_changes)]
        return fingerprint is not None and any(state.get(split) == fingerprint for state in states)

    @property
    def channels(self) -> int | None:
        """Return the channels of the data's images; None in studies of older versions, which did not store them."""
        found: int | None = self.dataset.get("channels")
        return found

    @property
    def val_images(self) -> int:
        """Return the number of images of val; 0 where it is not known."""
        return int(self._val.get("images", 0))

    @property
    def _val(self) -> dict[str, Any]:
        val: dict[str, Any] = self.dataset.get("splits", {}).get("val", {})
        return val

    @property
    def most_labels(self) -> int:
        """Return the labels of the image of val that has the most; 0 in studies of older versions, which did not count
        them: their sweeps keep the one limit of detections that they began with.
        """
        return int(self._val.get("most", 0))


@dataclass(frozen=True)
class StudyRow:
    id: int
    uuid: str
    name: str
    spec: StudySpec
    spec_sha256: str
    identity: Identity
    facts: Facts
    created_at: datetime
    mlflow_experiment_id: str | None
    plan: StagePlan = ()
    """Trainings of a confirmation stage; empty for a search."""

    @property
    def searched_name(self) -> str:
        """Return the name of the search that a confirmation stage belongs to; a search's own name."""
        return self.name.removesuffix(STAGE_SUFFIX) if self.plan else self.name


@dataclass(frozen=True)
class Look:
    """A look at a split of the data."""

    split: str
    weights: str | None = None
    """sha256 of the weights that were promoted; None for a confirmation."""


class Exclusive(IntEnum):
    """What an attempt must have to itself; each level includes those before it."""

    NOTHING = 0
    DEVICE = 1
    """No other trial runs on its device."""
    MACHINE = 2
    """No other trial of its worker runs."""


@dataclass(frozen=True)
class Upload:
    """A checkpoint in the artifact store of the tracking server. It is complete, since its row is written after it."""

    epoch: int
    """Number of epochs that it holds."""
    sha256: str
    location: str
    """Artifact URI of the file."""


@dataclass(frozen=True)
class Earlier:
    """An earlier attempt at the same ordinal that may have left a checkpoint."""

    attempt: int
    token: str
    folder: str
    """Path of its folder, on the machine where it ran."""
    resumed_from: int
    uploads: tuple[Upload, ...]


@dataclass(frozen=True)
class Proposal:
    """A trial that this worker may train now."""

    number: int
    ordinal: int
    attempt: int
    token: str
    """Lease token of the attempt; every write carries it."""
    params: dict[str, Scalar]
    """Values from the sampler (or the baseline, or ``enqueue``), with names of the space only."""
    baseline: bool
    retries_left: int
    resume_epoch: int
    """Number of epochs in the newest checkpoint that the database knows; 0 to start from epoch 1."""
    earlier: tuple[Earlier, ...] = ()
    """Earlier attempts that began, oldest first."""
    recorded: int = 0
    """Last epoch of the trial's curve so far."""
    exclusive: Exclusive = Exclusive.NOTHING
    """What the attempt must have to itself, where an earlier attempt ran out of memory."""


@dataclass(frozen=True)
class AttemptRow:
    number: int
    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    reason: Reason | None
    detail: str
    folder: str
    effective: dict[str, Scalar]
    """Arguments as Ultralytics resolved them; empty before the training began."""
    resumed_from: int
    """Number of epochs taken over from a checkpoint."""
    slot: int = 0
    """Slot of its worker, from 0."""
    device: str = ""
    token: str = ""
    """Token with which it owned the trial."""
    peak_mib: int | None = None
    """Peak memory of its process in MiB; None before any was reported."""


@dataclass(frozen=True)
class EpochRow:
    number: int
    attempt: int
    epoch: int
    objective: float
    metrics: dict[str, float]
    seconds: float
    recorded_at: datetime


@dataclass(frozen=True)
class TrialRow:
    """A trial as people see it."""

    number: int
    ordinal: int
    state: TrialState
    counts: bool
    baseline: bool
    value: float | None
    params: dict[str, Scalar]
    metrics: dict[str, float]
    reason: Reason | None
    detail: str
    epochs: int
    worker: str | None
    started: datetime | None
    finished: datetime | None
    duration_s: float | None
    """Time in all attempts at this trial, in seconds."""
    mlflow_run_id: str | None
    operating_point: OperatingPoint | None
    """Setting that the value and the metrics hold at; None while there is none, and where none is sampled or swept."""
    train: dict[str, Any]
    """The complete training arguments that were requested."""
    folder: str | None
    """Folder of the newest attempt."""
    attempts: tuple[AttemptRow, ...] = field(default=())
    sweep: SweepResult | None = None
    """The sweep of a complete trial under ``postprocess: swept``; None for the baseline."""

    @property
    def recommended_point(self) -> OperatingPoint:
        """Return the setting for the weights: the sweep's if its gain is proven, else the measured or default one."""
        if self.sweep is not None:
            return self.sweep.recommended_point
        return self.operating_point or DEFAULT
