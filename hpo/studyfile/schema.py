"""The study as asked for: frozen, validated, complete. Built by ``hpo.studyfile.loader`` alone; trusted below it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hpo.studyfile.space import Space
from hpo.trial.kinds import Kind
from hpo.trial.objective import Objective
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Postprocess, Scalar

POSTPROCESSING_NAMES = ("iou", "conf", "max_det", "agnostic_nms")
Plots = Literal["none", "best", "all"]


@dataclass(frozen=True)
class Method:
    """A sampler or pruner by its short name, with options by Optuna's own argument names."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Search:
    sampler: Method = Method("tpe")
    pruner: Method = Method("hyperband")
    seed: int = 0
    enqueue: tuple[tuple[tuple[str, Scalar], ...], ...] = ()
    """Proposals to try first (after the baseline), each complete or partial: the rest is sampled."""


@dataclass(frozen=True)
class Budget:
    trials: int = 50
    """Counting trials (complete, pruned, diverged, out of memory, failed for good), the baseline included."""
    hours: float | None = None
    """Wall time with at least one live worker; no new trial starts after it."""


@dataclass(frozen=True)
class Recovery:
    hung_s: float = 600.0
    """A trial without any progress for this long is ended as ``hung``."""
    retries: int = 2
    """Further attempts after a death (killed, hung, crash, host_oom, disk)."""
    lease_s: float = 60.0
    """A worker that gave no sign of life for this long loses its trials; at least 1."""
    grace_s: float = 60.0
    """After SIGTERM or ``hpo cancel`` a trial may go on to its epoch's end for this long."""
    patience_s: float = 3600.0
    """A worker waits for a database that is away for this long before it ends."""
    checkpoint_every_s: float = 600.0
    """So often a trial's newest checkpoint is uploaded to the tracking server; at least 1."""


@dataclass(frozen=True)
class Keep:
    weights: int = 5
    """best.pt of so many best trials stay on disk."""
    caches: int = 5
    """Raw predictions of so many models stay on disk, those that were used last."""


@dataclass(frozen=True)
class Confirm:
    """The stage after the search in which the best trials and the baseline are trained again."""

    top: int = 3
    """So many of the best complete trials, the baseline aside."""
    seeds: int = 3
    """Trainings of each, with seeds of their own; at least 2."""


@dataclass(frozen=True)
class Final:
    """The training of what is handed over (``hpo promote``)."""

    epochs: int | None = None
    """None for those of the trial."""


STAGE_SUFFIX = ".confirm"
"""Of the name of a confirmation stage, which is a study of its own; no other study may have it."""
LONGEST_NAME = 63


@dataclass(frozen=True)
class PlannedRun:
    """One training of a confirmation stage: nothing of it is left to a sampler."""

    of: int | None
    """Number of the search's trial that it repeats; None for the baseline."""
    params: tuple[tuple[str, Scalar], ...]
    """Its values of the space's names."""
    train: tuple[tuple[str, Any], ...]
    """Complete Ultralytics arguments, the fresh seed among them."""
    operating_point: OperatingPoint | None
    """What it is measured at, fixed before; None under ``postprocess: none``."""

    @property
    def baseline(self) -> bool:
        return self.of is None


@dataclass(frozen=True)
class StudySpec:
    name: str
    """``[a-z0-9][a-z0-9._-]{0,62}``."""
    data: str
    """Absolute path of the data.yaml."""
    model: str
    """As written, or the absolute path of a file found beside the study, in the working folder or in configs/models."""
    train: tuple[tuple[str, Any], ...] = ()
    """Fixed Ultralytics arguments, sorted by name."""
    space: Space = field(default_factory=Space)
    objective: Objective = field(default_factory=Objective)
    search: Search = field(default_factory=Search)
    budget: Budget = field(default_factory=Budget)
    baseline: bool = True
    postprocess: Postprocess = Postprocess.NONE
    kinds: tuple[Kind, ...] | None = None
    """Kinds of suppression that a sweep tries; None for those that ``agnostic_nms`` names, or the usual ones."""
    per_class: bool = False
    """Whether a sweep gives each class a confidence of its own."""
    plots: Plots = "best"
    keep: Keep = field(default_factory=Keep)
    recovery: Recovery = field(default_factory=Recovery)
    confirm: Confirm | None = None
    final: Final | None = None
    warm_start: tuple[str, ...] = ()
    """Names of earlier studies in the same database whose knowledge this one begins with."""
    planned: tuple[PlannedRun, ...] = ()
    """Of a confirmation stage: one an ordinal, in place of a sampler's proposals. No key of a study file."""

    @property
    def train_args(self) -> dict[str, Any]:
        return dict(self.train)

    @property
    def searched(self) -> Space:
        """What proposals are made of: the space, less what is swept after each training."""
        return self.space.without(POSTPROCESSING_NAMES) if self.is_swept else self.space

    @property
    def is_swept(self) -> bool:
        return self.postprocess is Postprocess.SWEPT

    @property
    def searched_name(self) -> str:
        """Of the search that a confirmation stage belongs to; a search's own."""
        return self.name.removesuffix(STAGE_SUFFIX) if self.planned else self.name

    @property
    def epochs(self) -> int:
        """Epochs of every trial (Ultralytics' default where ``train`` names none)."""
        return int(self.train_args.get("epochs", 100))
