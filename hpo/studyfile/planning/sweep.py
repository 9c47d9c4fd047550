"""The sweep of each trained model: the post-processing names of the space as bounds (``postprocess: swept``)."""

from __future__ import annotations

from collections.abc import Iterator

from hpo.studyfile.schema import POSTPROCESSING_NAMES, StudySpec
from hpo.studyfile.space import Choices, Domain, FloatRange, IntRange
from hpo.studyfile.text.report import Finding
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.operating_point import DEFAULT_IOUS, FLOOR, MAX_IOUS, SweepPlan

POINTS = 33
"""Number of thresholds in a range of ``iou`` without a step."""
MOST_MAX_DETS = 16
"""Largest number of max_det values: each costs a pass over all settings."""
_BY_CLASS = tuple(kind for kind in SUPPRESSING if kind.row.by_class)
_MODE = ("postprocess",)
_INSTEAD = "`postprocess: sampled` lets the sampler propose it"


def sweep_plan(spec: StudySpec, most_labels: int = 0) -> SweepPlan:
    """Return the plan of every trial; a name that the space does not have is not bounded.

    A range of ``conf`` becomes (low, high) and a fixed one (c, c). ``most_labels``: labels of the image of val that has
    the most; it decides the limits of detections where the space names none. The study has passed ``check``.
    """
    default = SweepPlan().for_labels(most_labels)
    return SweepPlan(
        kinds=spec.kinds or _kinds(_domain(spec, "agnostic_nms")) or default.kinds,
        ious=_ious(_domain(spec, "iou")),
        conf=_conf(_domain(spec, "conf")) or default.conf,
        max_dets=_max_dets(_domain(spec, "max_det")) or default.max_dets,
        per_class=spec.per_class,
    )


def conf_bounds(spec: StudySpec) -> tuple[float, float] | None:
    """Return the smallest and the largest confidence that the space allows; None where it does not bound it."""
    return _conf(_domain(spec, "conf"))


def check(spec: StudySpec) -> Iterator[Finding]:
    """Find what no sweep could honour in the space."""
    if not spec.is_swept:
        return
    yield from _check_kinds(spec)
    for name, rule in (("iou", _check_iou), ("conf", _check_conf), ("max_det", _check_max_det)):
        domain = _domain(spec, name)
        message = None if domain is None else rule(domain)
        if message is not None:
            yield Finding(f"space.{name}", message, _MODE)
    yield from _conditions(spec)


def _domain(spec: StudySpec, name: str) -> Domain | None:
    """Return the domain of a name, also of a fixed single value; None where the space does not have it."""
    fixed = dict(spec.space.fixed)
    dimension = spec.space.get(name)
    if dimension is not None:
        return dimension.domain
    return Choices((fixed[name],)) if name in fixed else None


def _kinds(domain: Domain | None) -> tuple[Kind, ...]:
    values = domain.values if isinstance(domain, Choices) else ()
    return tuple(kind for kind, agnostic in ((Kind.HARD, False), (Kind.AGNOSTIC, True)) if agnostic in values)


def _ious(domain: Domain | None) -> tuple[float, ...]:
    match domain:
        case Choices(values):
            return tuple(sorted(float(value) for value in values if value is not None))
        case FloatRange(low, high, _, float(step)):
            return tuple(round(low + tick * step, 10) for tick in range(round((high - low) / step) + 1))
        case FloatRange(low, high, log):
            shares = [tick / (POINTS - 1) for tick in range(1, POINTS - 1)]
            between = [low * (high / low) ** share if log else low + (high - low) * share for share in shares]
            inner = {round(iou, 3) for iou in between}
            return (low, *sorted(iou for iou in inner if low < iou < high), high)
        case _:
            return DEFAULT_IOUS


def _conf(domain: Domain | None) -> tuple[float, float] | None:
    match domain:
        case Choices((value,)) if value is not None:
            return float(value), float(value)
        case FloatRange(low, high):
            return max(low, FLOOR), high
        case _:
            return None


def _max_dets(domain: Domain | None) -> tuple[int, ...]:
    values = domain.values if isinstance(domain, Choices | IntRange) else ()
    return tuple(sorted(int(value) for value in values if value is not None))


def _check_kinds(spec: StudySpec) -> Iterator[Finding]:
    named = ", ".join(spec.kinds or ())
    if spec.kinds is not None and not any(kind in SUPPRESSING for kind in spec.kinds):
        why = f"[{named}] leaves nothing to try: name some of {', '.join(SUPPRESSING)}"
        yield Finding("postprocess.kinds", why, _MODE)
    if spec.kinds is not None and _domain(spec, "agnostic_nms") is not None:
        why = (
            f"chooses kinds of suppression, and so does `postprocess.kinds: [{named}]`: drop one of them "
            f"(`agnostic_nms: true` is the kind {Kind.AGNOSTIC}, `false` is {Kind.HARD})"
        )
        yield Finding("space.agnostic_nms", why, _MODE)
    if spec.per_class:
        yield from _check_per_class(spec)


def _check_per_class(spec: StudySpec) -> Iterator[Finding]:
    """Refuse a per-class sweep as ``hpo.detection.sweep.check`` would after all trainings."""
    objective = spec.objective
    if any(constraint.cls is None for constraint in objective.constraints):
        message = "goes with conditions on single classes only: `f1 at recall[NAME] >= 0.6`; change it, or drop this"
        yield Finding("postprocess.per_class", f"{message} (the objective is `{objective}`)", ("objective",))
    elif objective.metric.row.held_back_by:
        message = f"goes with F and AP objectives, not with {objective.metric}: use `objective: f1`, or drop this"
        yield Finding("postprocess.per_class", message, ("objective",))
    if not any(kind.row.by_class for kind in sweep_plan(spec).kinds):
        message = f"goes with kinds that suppress within classes: {', '.join(_BY_CLASS)}; name one, or drop this"
        yield Finding("postprocess.per_class", message, _MODE)


def _check_iou(domain: Domain) -> str | None:
    if isinstance(domain, FloatRange) and domain.log and domain.low <= 0:
        return None  # it has a problem of its own
    ious = _ious(domain)
    if ious[0] <= 0:
        return f"a sweep takes NMS thresholds above 0, not {ious[0]:g}: raise it; or {_INSTEAD}"
    if len(ious) > MAX_IOUS:
        return f"asks for {len(ious)} thresholds, a sweep takes {MAX_IOUS} at most: widen `step`, or leave it out"
    return None


def _check_conf(domain: Domain) -> str | None:
    match domain:
        case Choices((_, _, *_)):
            instead = f"write a range such as [0.1, 0.5], or one value; or {_INSTEAD}"
            return f"every confidence between two bounds is tried, not single ones: {instead}"
        case FloatRange(_, _, log, step) if log or step is not None:
            return f"every confidence in the range is tried: drop `{'log' if log else 'step'}`; or {_INSTEAD}"
    if (_conf(domain) or (FLOOR, FLOOR))[1] < FLOOR:
        return f"lies below {FLOOR:g}, and candidates of lower scores are never looked at: raise it"
    return None


def _check_max_det(domain: Domain) -> str | None:
    count = len(_max_dets(domain))
    if count <= MOST_MAX_DETS:
        return None
    return f"asks for {count} values, a sweep takes {MOST_MAX_DETS} at most: write {{choices: [100, 300]}}, or `step`"


def _conditions(spec: StudySpec) -> Iterator[Finding]:
    for dimension in spec.space.dimensions:
        path = f"space.{dimension.name}"
        if dimension.name in POSTPROCESSING_NAMES and dimension.when:
            why = f"is swept after each training, whatever was trained: drop `when`; or {_INSTEAD}"
            yield Finding(path, why, _MODE)
            continue
        for parent in (condition.parent for condition in dimension.when):
            if parent in POSTPROCESSING_NAMES:
                why = f"its condition names {parent}, which is swept after each training and has no value before"
                yield Finding(path, f"{why}: drop `when`; or write `postprocess: sampled`", _MODE)
