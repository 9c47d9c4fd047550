"""The trainings of a search: the arguments of a trial and of the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.planning.baseline import resolved, stated, trial_0
from hpo.studyfile.planning.optimizer import resolve_optimizer
from hpo.studyfile.planning.sweep import sweep_plan
from hpo.studyfile.schema import POSTPROCESSING_NAMES, StudySpec
from hpo.studyfile.space import FloatRange, contains, is_active
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import DEFAULT, OperatingPoint, SweepPlan
from hpo.trial.vocabulary import Postprocess, Scalar


@dataclass(frozen=True)
class BaselinePlan:
    """Trial 0: what plain ``yolo train`` would train, or the study's own recipe for it."""

    train: dict[str, Any]
    """Complete Ultralytics training arguments, the optimizer resolved."""
    params: dict[str, Scalar]
    """The baseline's values of the space's active dimensions."""
    in_space: bool
    """Whether a trial of the search with ``params`` would be the same training at the same operating point."""
    operating_point: OperatingPoint | None
    """Ultralytics' own setting for prediction; None under ``postprocess: none``."""


def search_args(spec: StudySpec, params: Mapping[str, Scalar]) -> dict[str, Any]:
    """Return the Ultralytics training arguments of a trial with ``params``, without those that the training package
    owns.

    Unless given, ``nbs`` is equal to ``batch``: otherwise Ultralytics accumulates gradients over 64 images, a few steps
    an epoch in a small dataset. Unless given, ``close_mosaic`` is a tenth of the epochs, at most 10: its default of 10
    would turn mosaic off for the whole of a short training.
    """
    chosen = {**dict(spec.space.fixed), **params}
    args = {
        **stated(),
        **spec.train_args,
        **{name: value for name, value in chosen.items() if name not in POSTPROCESSING_NAMES},
    }
    args.setdefault("nbs", args["batch"])
    args.setdefault("close_mosaic", tied_close_mosaic(args["epochs"]))
    return dict(sorted(args.items()))


def asked(
    spec: StudySpec, first: BaselinePlan | None, params: Mapping[str, Scalar], *, is_baseline: bool
) -> tuple[dict[str, Any], OperatingPoint | None]:
    """Return what a trial of a search trains, and the setting that it is measured at.

    ``first``: the search's baseline where it has one.
    """
    if is_baseline:
        assert first is not None  # noqa: S101  (a session proposes one only where it was given one)
        return first.train, first.operating_point
    return search_args(spec, params), operating_point(spec, params)


def tied_close_mosaic(epochs: int) -> int:
    """Return the number of epochs without mosaic at the end, where the study names none."""
    return 0 if epochs == 1 else min(10, max(1, round(0.1 * epochs)))


def operating_point(spec: StudySpec, params: Mapping[str, Scalar]) -> OperatingPoint | None:
    """Return the post-processing that a trial is measured at; None where it is not sampled."""
    if spec.postprocess is not Postprocess.SAMPLED:
        return None
    chosen = {**dict(spec.space.fixed), **params}
    setting = {**_PREDICTION, **{name: value for name, value in chosen.items() if name in POSTPROCESSING_NAMES}}
    kind = Kind.AGNOSTIC if setting["agnostic_nms"] else Kind.HARD
    return OperatingPoint(setting["iou"], setting["conf"], setting["max_det"], kind)


_PREDICTION: dict[str, Any] = {name: getattr(DEFAULT, name) for name in POSTPROCESSING_NAMES}


def baseline(spec: StudySpec, *, nc: int, train_images: int, most_labels: int = 0) -> BaselinePlan:
    """Return trial 0 of a new study on a dataset of ``nc`` classes and ``train_images`` training images.

    ``most_labels``: labels of the image of val that has the most.
    """
    facts = {"nc": nc, "train_images": train_images}
    return planned(resolved(spec, **facts), trial_0(spec, **facts), **facts, most_labels=most_labels)


def planned(
    spec: StudySpec, train: Mapping[str, Any], *, nc: int, train_images: int, most_labels: int = 0
) -> BaselinePlan:
    """Return trial 0 of a study with the baseline's arguments ``train``.

    Ultralytics counts only images that it can read and that have sound labels. Where broken ones bring the count across
    a multiple of the batch, its rule may use a number of iterations that differs by one step an epoch.
    """
    point = None if spec.postprocess is Postprocess.NONE else DEFAULT
    params = _params(spec, {**arguments.defaults(), **train, **_PREDICTION})
    # a study of an older version may leave its trials' optimizer to Ultralytics
    asked = resolve_optimizer(search_args(spec, params), nc=nc, train_images=train_images)
    searched = (each for each in spec.space.dimensions if each.name in params)
    inside = all(contains(each.domain, params[each.name]) for each in searched)
    same = {**arguments.defaults(), **asked} == {**arguments.defaults(), **train}
    alike = _measured_alike(spec, params, point, most_labels)
    return BaselinePlan(dict(train), params, inside and same and alike, point)


def _measured_alike(
    spec: StudySpec, params: Mapping[str, Scalar], point: OperatingPoint | None, most_labels: int
) -> bool:
    """Return whether a trial of the search with ``params`` would be measured at ``point`` and nowhere else."""
    if not spec.is_swept:
        return operating_point(spec, params) == point
    only = SweepPlan(kinds=(Kind.HARD,), ious=(0.7,), conf=(DEFAULT.conf, DEFAULT.conf), max_dets=(DEFAULT.max_det,))
    return sweep_plan(spec, most_labels) == only


def _params(spec: StudySpec, values: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return ``values`` of the dimensions that are active under them."""
    params: dict[str, Scalar] = {}
    for dimension in spec.searched.dimensions:
        if is_active(dimension, params):
            value = values[dimension.name]
            params[dimension.name] = float(value) if isinstance(dimension.domain, FloatRange) else value
    return params
