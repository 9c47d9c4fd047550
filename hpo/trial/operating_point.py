"""Post-processing settings, what a sweep may try of them, and what it found: plain values with a JSON form."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from hpo.trial.kinds import Axis, Kind

FLOOR = 0.001
"""Candidates of a lower score are never looked at; ``model.val`` has the same floor."""
MAX_IOUS = 64
"""One bit each of a machine word."""


@dataclass(frozen=True)
class OperatingPoint:
    """A post-processing setting: one suppression and one confidence threshold, or one a class."""

    iou: float | None
    """Threshold in [0, 1]: a box is dropped (``soft_linear``: decayed; ``wbf``: fused) when its overlap with a kept one
    is above it. None for ``soft`` and ``none``, which have none."""
    conf: float
    """Confidence threshold in [0, 1]: detections with a score above it stay."""
    max_det: int = 300
    """Detections an image, the best scores first."""
    kind: Kind = Kind.HARD
    sigma: float | None = None
    """The width in Gaussian Soft-NMS, above 0: a score is multiplied by exp(-IoU^2 / sigma)."""
    per_class_conf: tuple[float, ...] | None = None
    """Thresholds by class index, in place of ``conf``, which is then their minimum."""
    floor: float = FLOOR
    """Candidates of a lower score are not looked at; it matters for ``wbf`` alone, which averages scores."""

    @property
    def agnostic_nms(self) -> bool:
        return dict(self.kind.row.predict or ()).get("agnostic_nms", False)

    @property
    def is_plain(self) -> bool:
        """Whether ``yolo predict`` can do it; else ``hpo.deploy`` does."""
        return self.kind.is_plain and self.per_class_conf is None

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON form."""
        return {"agnostic_nms": self.agnostic_nms, **asdict(self), "kind": self.kind.value}

    @staticmethod
    def from_dict(raw: dict[str, Any]) -> OperatingPoint:
        """The value that ``to_dict`` gave; further keys are left alone."""
        names = OperatingPoint.__dataclass_fields__
        known = {name: value for name, value in raw.items() if name in names}
        thresholds = known.get("per_class_conf")
        known["per_class_conf"] = None if thresholds is None else tuple(thresholds)
        default = Kind.AGNOSTIC if raw.get("agnostic_nms") else Kind.HARD
        return OperatingPoint(**{**known, "kind": Kind(raw.get("kind", default))})


DEFAULT = OperatingPoint(iou=0.7, conf=0.25)
"""What ``yolo predict`` uses (ultralytics 8.4.190)."""

DEFAULT_IOUS = tuple(round(0.1 + 0.025 * step, 3) for step in range(33))
DEFAULT_SIGMAS = tuple(round(0.05 * step, 2) for step in range(1, 17))


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep tries. Every distinct confidence within ``conf`` is always tried."""

    kinds: tuple[Kind, ...] = (Kind.HARD, Kind.AGNOSTIC)
    ious: tuple[float, ...] = DEFAULT_IOUS
    """Ascending, distinct, each in (0, 1], at most ``MAX_IOUS``."""
    conf: tuple[float, float] = (FLOOR, 1.0)
    """Lowest and highest confidence threshold."""
    sigmas: tuple[float, ...] = DEFAULT_SIGMAS
    """Widths of Gaussian Soft-NMS, each above 0."""
    floors: tuple[float, ...] = (FLOOR, 0.01, 0.05, 0.1, 0.25)
    """Score floors of weighted boxes fusion, each in [0, 1]."""
    max_dets: tuple[int, ...] = (300,)
    per_class: bool = False
    """Whether each class gets a confidence threshold of its own."""
    folds: int = 5
    """Folds of the cross-validation over images."""
    resamples: int = 2000
    """Resamples of the paired bootstrap over images."""
    seed: int = 0

    def axis(self, axis: Axis) -> tuple[float, ...]:
        """The values that are tried on ``axis``."""
        match axis:
            case Axis.IOU:
                return self.ious
            case Axis.SIGMA:
                return self.sigmas
            case Axis.FLOOR:
                return self.floors

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kinds": [kind.value for kind in self.kinds]}

    @staticmethod
    def from_dict(raw: dict[str, Any]) -> SweepPlan:
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()
        }
        return SweepPlan(**{**plain, "kinds": tuple(Kind(kind) for kind in raw["kinds"])})


@dataclass(frozen=True)
class Interval:
    """An estimate and its two-sided 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Rated:
    """A setting and what it scores on the images it was chosen on."""

    point: OperatingPoint
    scores: dict[str, float]
    """``precision, recall, f1`` (macro, IoU 0.5) and ``map50, map50_95`` of the detections above the threshold;
    ``map50_all, map50_95_all`` of all above the floor, which is what ``model.val`` reports."""

    def to_dict(self) -> dict[str, Any]:
        return {**self.point.to_dict(), **self.scores}


@dataclass(frozen=True)
class Gain:
    """Gain of the chosen setting over Ultralytics' defaults, in the objective, on images that did not choose it."""

    metric: str
    """The objective's text."""
    value: float
    """Cross-validated over images."""
    low: float
    high: float
    test: Interval | None = None
    """On the test split, where one was measured: then the decisive one."""

    @property
    def decisive(self) -> Interval:
        return self.test or Interval(self.value, self.low, self.high)

    @property
    def proven(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.decisive.low > 0


@dataclass(frozen=True)
class KindResult:
    """The best setting of one kind, and its own cross-validated gain."""

    best: Rated
    gain: Gain


@dataclass(frozen=True)
class SweepResult:
    """What a sweep over a split's predictions found."""

    capture: str
    """``deploy`` or ``val``."""
    images: int
    settings: int
    """Suppression settings that were evaluated."""
    points: int
    """Exact operating points among them: a suppression setting with a distinct confidence."""
    seconds: float
    """Wall time of the sweep; inference is not in it."""
    objective: str
    value: float
    """The objective of the best setting, cross-validated over images: what the choice is worth on new ones."""
    in_sample: float
    """The objective of the best setting on the images that chose it: optimistic."""
    default_value: float
    """The objective of Ultralytics' defaults."""
    feasible: bool
    """Whether the best setting meets the objective's conditions."""
    default_feasible: bool
    """Whether the defaults do; gains compare the metric alone, whether conditions are met or not."""
    best: Rated
    default: Rated
    gain: Gain
    by_kind: tuple[KindResult, ...] = field(default=())

    @property
    def recommended(self) -> str:
        """``best`` where its gain is proven, or where only it meets the objective's conditions; else ``default``."""
        return "best" if self.feasible and (self.gain.proven or not self.default_feasible) else "default"

    @property
    def recommended_point(self) -> OperatingPoint:
        return self.best.point if self.recommended == "best" else self.default.point

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON form."""
        plain = ("capture", "images", "settings", "points", "seconds", "objective", "value", "in_sample")
        return {
            **{name: getattr(self, name) for name in (*plain, "default_value", "feasible", "default_feasible")},
            "best": self.best.to_dict(),
            "default": self.default.to_dict(),
            "gain": asdict(self.gain),
            "recommended": self.recommended,
            "by_kind": [{**kind.best.to_dict(), "gain": asdict(kind.gain)} for kind in self.by_kind],
        }

    @staticmethod
    def from_dict(raw: dict[str, Any]) -> SweepResult:
        """The value that ``to_dict`` gave; further keys are left alone."""
        fields = {name: raw[name] for name in SweepResult.__dataclass_fields__ if name in raw}
        kinds = tuple(KindResult(_rated(kind), _gain(kind["gain"])) for kind in raw["by_kind"])
        built = {"best": _rated(raw["best"]), "default": _rated(raw["default"]), "gain": _gain(raw["gain"])}
        return SweepResult(**{**fields, **built, "by_kind": kinds})


def _rated(raw: dict[str, Any]) -> Rated:
    names = ("precision", "recall", "f1", "map50", "map50_95", "map50_all", "map50_95_all")
    scores = {name: raw[name] for name in names}
    return Rated(OperatingPoint.from_dict(raw), scores)


def _gain(raw: dict[str, Any]) -> Gain:
    test = raw.get("test")
    return Gain(**{**raw, "test": None if test is None else Interval(**test)})
