"""Post-processing settings, the values that a sweep may try, and its result: plain values with a JSON form."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hpo.trial.kinds import Axis, Kind

FLOOR = 0.001
"""Lowest score in [0, 1] at which a candidate is considered; ``model.val`` has the same floor."""
MAX_IOUS = 64
"""Largest number of IoU thresholds: each takes one bit of a 64-bit word."""
DENSE = 100
"""Number of labels in an image above which a sweep tries ``MORE_DETECTIONS`` too."""
MORE_DETECTIONS = 1000
"""The limit of detections an image that a sweep tries beside Ultralytics' own on dense images."""


@dataclass(frozen=True)
class OperatingPoint:
    """A post-processing setting: one suppression, and one confidence threshold or one for each class."""

    iou: float | None
    """IoU threshold in [0, 1]; None for ``soft`` and ``none``, which have none.

    A box with an IoU above it to a kept box is dropped (``soft_linear``: its score is decayed; ``wbf``: it is fused).
    """
    conf: float
    """Confidence threshold in [0, 1]: detections with a score above it stay."""
    max_det: int = 300
    """Largest number of detections in an image; those with the best scores stay."""
    kind: Kind = Kind.HARD
    sigma: float | None = None
    """The width in Gaussian Soft-NMS, above 0: a score is multiplied by exp(-IoU^2 / sigma)."""
    per_class_conf: tuple[float, ...] | None = None
    """Thresholds by class index. They replace ``conf``, which is then their minimum."""
    floor: float = FLOOR
    """Lowest score of a candidate, in [0, 1]. It matters only for ``wbf``, which averages scores."""

    @property
    def agnostic_nms(self) -> bool:
        return dict(self.kind.row.predict or ()).get("agnostic_nms", False)

    @property
    def is_plain(self) -> bool:
        """Return whether ``yolo predict`` can do it; otherwise ``hpo.deploy`` does."""
        return self.kind.is_plain and self.per_class_conf is None

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {"agnostic_nms": self.agnostic_nms, **asdict(self), "kind": self.kind.value}

    @staticmethod
    def from_dict(raw: dict[str, Any]) -> OperatingPoint:
        """Return the value that ``to_dict`` was given; other keys are ignored."""
        names = OperatingPoint.__dataclass_fields__
        known = {name: value for name, value in raw.items() if name in names}
        thresholds = known.get("per_class_conf")
        known["per_class_conf"] = None if thresholds is None else tuple(thresholds)
        default = Kind.AGNOSTIC if raw.get("agnostic_nms") else Kind.HARD
        return OperatingPoint(**{**known, "kind": Kind(raw.get("kind", default))})


DEFAULT = OperatingPoint(iou=0.7, conf=0.25)
"""The setting that ``yolo predict`` uses (ultralytics 8.4.190)."""

DEFAULT_IOUS = tuple(round(0.1 + 0.025 * step, 3) for step in range(33))
DEFAULT_SIGMAS = tuple(round(0.05 * step, 2) for step in range(1, 17))


@dataclass(frozen=True)
class SweepPlan:
    """The settings that a sweep tries. It always tries every distinct confidence within ``conf``."""

    kinds: tuple[Kind, ...] = (Kind.HARD, Kind.AGNOSTIC)
    ious: tuple[float, ...] = DEFAULT_IOUS
    """IoU thresholds: ascending, distinct, each in (0, 1], at most ``MAX_IOUS``."""
    conf: tuple[float, float] = (FLOOR, 1.0)
    """Lowest and highest confidence threshold."""
    sigmas: tuple[float, ...] = DEFAULT_SIGMAS
    """Widths of Gaussian Soft-NMS, each above 0."""
    floors: tuple[float, ...] = (FLOOR, 0.01, 0.05, 0.1, 0.25)
    """Score floors of weighted boxes fusion, each in [0, 1]."""
    max_dets: tuple[int, ...] = ()
    """Limits of detections an image, ascending; empty where the labels decide (``for_labels``)."""
    per_class: bool = False
    """Whether each class gets a confidence threshold of its own."""
    folds: int = 5
    """Number of folds in the cross-validation over images."""
    resamples: int = 2000
    """Number of resamples in the paired bootstrap over images."""
    seed: int = 0

    def for_labels(self, most: int) -> SweepPlan:
        """Return the plan with its limits of detections named; ``most``: labels of the image that has the most.

        The limits are 300 and, above ``DENSE`` labels, ``MORE_DETECTIONS``.
        """
        if self.max_dets:
            return self
        return replace(self, max_dets=(DEFAULT.max_det, *((MORE_DETECTIONS,) if most > DENSE else ())))

    def axis(self, axis: Axis) -> tuple[float, ...]:
        """Return the values that the sweep tries on ``axis``."""
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
        """Return the value that ``to_dict`` was given; a plan without limits of detections is of 300 alone."""
        plain: dict[str, Any] = {"max_dets": (DEFAULT.max_det,)} | {
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
    """A setting and its scores on the images that it was chosen on."""

    point: OperatingPoint
    scores: dict[str, float]
    """Scores by name. ``precision, recall, f1`` (macro, IoU 0.5) and ``map50, map50_95`` are for the detections above
    the threshold. ``map50_all, map50_95_all`` are for all detections above the floor, as ``model.val`` reports them.
    """
    images_cut: int = 0
    """Number of images with detections above the threshold that ``max_det`` drops."""
    images_beyond: int = 0
    """Number of images with more labels than ``max_det``."""

    def to_dict(self) -> dict[str, Any]:
        limited = {"images_cut": self.images_cut, "images_beyond": self.images_beyond}
        return {**self.point.to_dict(), **self.scores, **limited}


@dataclass(frozen=True)
class Gain:
    """Gain of the chosen setting over Ultralytics' defaults, in the objective, on images that did not choose it."""

    metric: str
    """Text form of the objective."""
    value: float
    """Gain in the objective, cross-validated over images."""
    low: float
    high: float
    test: Interval | None = None
    """Gain on the test split, where one was measured. It then decides."""

    @property
    def decisive(self) -> Interval:
        return self.test or Interval(self.value, self.low, self.high)

    @property
    def proven(self) -> bool:
        """Return whether the whole interval lies above zero."""
        return self.decisive.low > 0


@dataclass(frozen=True)
class KindResult:
    """The best setting of one kind, and its own cross-validated gain."""

    best: Rated
    gain: Gain


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep over a split's predictions."""

    capture: str
    """How the predictions were captured: ``deploy`` or ``val``."""
    images: int
    settings: int
    """Number of suppression settings that were evaluated."""
    points: int
    """Number of exact operating points among them: a suppression setting with a distinct confidence."""
    seconds: float
    """Wall time of the sweep in seconds, without inference."""
    objective: str
    value: float
    """The objective of the best setting, cross-validated over images: an estimate for new images.

    A single image has no others: then it is that of the image that chose.
    """
    in_sample: float
    """The objective of the best setting on the images that chose it: an optimistic estimate."""
    default_value: float
    """The objective of Ultralytics' defaults."""
    feasible: bool
    """Whether the best setting meets the objective's conditions."""
    default_feasible: bool
    """Whether the defaults meet them. Gains compare only the metric, whether conditions are met or not."""
    best: Rated
    default: Rated
    gain: Gain
    by_kind: tuple[KindResult, ...] = field(default=())

    @property
    def is_cross_validated(self) -> bool:
        """Return whether ``value`` is of images that did not choose the setting: a single image has to choose, too."""
        return self.images > 1

    @property
    def recommended(self) -> str:
        """Return ``best`` where its gain is proven, or where only it meets the conditions; else ``default``."""
        return "best" if self.feasible and (self.gain.proven or not self.default_feasible) else "default"

    @property
    def recommended_point(self) -> OperatingPoint:
        return self.best.point if self.recommended == "best" else self.default.point

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        plain = ("capture", "images", "settings", "points", "seconds", "objective", "value", "in_sample")
        return {
            **{name: getattr(self, name) for name in (*plain, "default_value", "feasible", "default_feasible")},
            "cross_validated": self.is_cross_validated,
            "best": self.best.to_dict(),
            "default": self.default.to_dict(),
            "gain": asdict(self.gain),
            "recommended": self.recommended,
            "by_kind": [{**kind.best.to_dict(), "gain": asdict(kind.gain)} for kind in self.by_kind],
        }

    @staticmethod
    def from_dict(raw: dict[str, Any]) -> SweepResult:
        """Return the value that ``to_dict`` was given; other keys are ignored."""
        fields = {name: raw[name] for name in SweepResult.__dataclass_fields__ if name in raw}
        kinds = tuple(KindResult(_rated(kind), _gain(kind["gain"])) for kind in raw["by_kind"])
        built = {"best": _rated(raw["best"]), "default": _rated(raw["default"]), "gain": _gain(raw["gain"])}
        return SweepResult(**{**fields, **built, "by_kind": kinds})


def _rated(raw: dict[str, Any]) -> Rated:
    names = ("precision", "recall", "f1", "map50", "map50_95", "map50_all", "map50_95_all")
    scores = {name: raw[name] for name in names}
    limited = (raw.get(name, 0) for name in ("images_cut", "images_beyond"))  # results of older versions have none
    return Rated(OperatingPoint.from_dict(raw), scores, *limited)


def _gain(raw: dict[str, Any]) -> Gain:
    test = raw.get("test")
    return Gain(**{**raw, "test": None if test is None else Interval(**test)})
