"""The settings of a study on one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from hpo.cli.console import console
from hpo.dataset.summary import DatasetSummary
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import Never
from hpo.studyfile.planning.baseline import Taken
from hpo.studyfile.planning.plan import BaselinePlan, operating_point, search_args
from hpo.studyfile.planning.rungs import PruningPlan
from hpo.studyfile.planning.steps import Steps
from hpo.studyfile.planning.sweep import sweep_plan
from hpo.studyfile.reading.proposals import describe
from hpo.studyfile.schema import POSTPROCESSING_NAMES, Method, StudySpec
from hpo.studyfile.space import Dimension
from hpo.trial.operating_point import SweepPlan

_MOST_RUNGS = 8


@dataclass(frozen=True)
class Trainings:
    """The baseline, and how much every training learns."""

    baseline: BaselinePlan | None
    taken: Taken
    steps: Steps


def print_study(spec: StudySpec, dataset: DatasetSummary, pruning: PruningPlan, trainings: Trainings) -> None:
    baseline = trainings.baseline
    out = console()
    page = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    page.add_column(style="bold", no_wrap=True)
    page.add_column()
    earlier = ", ".join(spec.warm_start)
    caches = f", predictions of {spec.keep.caches} models" if spec.is_swept else ""
    for title, text in (
        ("study", f"{spec.name}: {spec.objective} of {spec.model}"),
        ("data", _dataset(dataset)),
        ("every trial", _arguments(spec)),
        *([("measured at", _measured(spec, dataset.splits["val"].most))] if spec.postprocess.value != "none" else []),
        ("budget", _budget(spec)),
        ("sampler", f"{_method(spec.search.sampler)}, seed {spec.search.seed}{_enqueued(spec)}"),
        *([("warm start", f"from {earlier}, looked at when the study is made")] if spec.warm_start else []),
        ("pruner", f"{_method(spec.search.pruner)}: {_rungs(spec, pruning)}"),
        ("baseline", "none" if baseline is None else _baseline(spec, baseline, trainings.taken)),
        ("optimizer steps", _steps(trainings.steps)),
        ("confirmed", _confirmed(spec)),
        ("kept", f"best.pt of the {spec.keep.weights} best trials{caches}; plots: {spec.plots}"),
        ("after a death", f"{spec.recovery.retries} retries; hung after {spec.recovery.hung_s:g} s without progress"),
    ):
        page.add_row(title, text)
    out.print(page)
    out.print()
    out.print(_space(spec))


def _confirmed(spec: StudySpec) -> str:
    if spec.confirm is None:
        return "no; `confirm: {top: 3, seeds: 3}`, or afterwards hpo confirm, proves the winner"
    top, seeds = spec.confirm.top, spec.confirm.seeds
    runs = (top + 1) * seeds
    return f"the {top} best trials and the baseline, {seeds} seeds each: {runs} more trainings after the search"


def _dataset(dataset: DatasetSummary) -> str:
    names = ", ".join(dataset.names)
    lines = [f"{dataset.yaml}  {dataset.nc} classes: {names if len(names) <= 80 else f'{names[:80]}...'}"]
    for name, split in dataset.splits.items():
        background = f", {split.background} of them background (no labels)" if split.background else ""
        lines.append(f"{name:5}  {split.images} images{background}, {split.boxes} boxes")
    return "\n".join(lines)


def _arguments(spec: StudySpec) -> str:
    fixed = search_args(spec, {})
    sampled = set(spec.searched.names)
    # close_mosaic, nbs and the seed follow from others; sampled values are in the table below
    if "batch" in sampled and "nbs" not in spec.train_args:
        fixed["nbs"] = "batch"
    return "  ".join(f"{name}={_value(value)}" for name, value in fixed.items() if name not in sampled)


def _measured(spec: StudySpec, most_labels: int) -> str:
    if spec.is_swept:
        return _swept(sweep_plan(spec, most_labels))
    point = operating_point(spec, {})
    sampled = set(spec.space.names)
    shown = {name: "sampled" if name in sampled else getattr(point, name) for name in POSTPROCESSING_NAMES}
    return "  ".join(f"{name}={_value(value)}" for name, value in shown.items())


def _swept(plan: SweepPlan) -> str:
    """Return the settings that each model is swept over."""
    low, high = plan.conf
    ious = f"{plan.ious[0]:g} to {plan.ious[-1]:g} ({len(plan.ious)} values)" if len(plan.ious) > 1 else plan.ious[0]
    confs = f"{low:g}" if low == high else f"every confidence from {low:g} to {high:g}"
    max_dets = ", ".join(str(max_det) for max_det in plan.max_dets)
    what = "the best setting of each trained model, swept on its predictions of the val split"
    setting = f"iou {ious}, conf {confs}{' for each class' if plan.per_class else ''}, max_det {max_dets}"
    return f"{what}:\n{setting}, NMS {', '.join(plan.kinds)}{_deployed(plan)}"


def _deployed(plan: SweepPlan) -> str:
    """Return how to use a setting that ``yolo predict`` can't apply."""
    others = [str(kind) for kind in plan.kinds if not kind.is_plain]
    others += ["a confidence a class"] if plan.per_class else []
    if not others:
        return ""
    return f"\n`yolo predict` can't do {', '.join(others)}: where such a setting wins, it deploys through hpo.deploy"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _budget(spec: StudySpec) -> str:
    hours = f", at most {spec.budget.hours:g} hours" if spec.budget.hours is not None else ""
    return f"{spec.budget.trials} trials of {spec.epochs} epochs{hours}"


def _method(method: Method) -> str:
    options = ", ".join(f"{name} {getattr(value, 'name', value)}" for name, value in method.options)
    return f"{method.name} ({options})" if options else method.name


def _enqueued(spec: StudySpec) -> str:
    count = len(spec.search.enqueue)
    return f", {count} of your own proposals first" if count else ""


def _rungs(spec: StudySpec, pruning: PruningPlan) -> str:
    if PRUNERS[spec.search.pruner.name].schedule == Never():
        return "every trial trains to its end"
    if pruning.first is None:
        return f"{spec.epochs} epochs are too few to stop a trial early; every trial trains to its end"
    many = len(pruning.rungs) > _MOST_RUNGS
    listed = ", ".join(str(rung) for rung in (pruning.rungs[:_MOST_RUNGS] if many else pruning.rungs))
    rest = f", ... {pruning.rungs[-1]}" if many else ""
    silent = ", ".join(str(epoch) for epoch in sorted(pruning.silent))
    own = "; where mosaic closes differs by trial, each leaves out its own" if spec.space.get("close_mosaic") else ""
    return f"may stop a trial after epoch {listed}{rest} (never after {silent}{own})"


def _baseline(spec: StudySpec, baseline: BaselinePlan, taken: Taken) -> str:
    trained = "  ".join(f"{name}={_value(value)}" for name, value in baseline.train.items())
    point = baseline.operating_point
    at = f"  at iou={point.iou:g} conf={point.conf:g}" if point is not None else ""
    apart = "measured there, the others at their best" if spec.is_swept else "outside the space"
    learns = "the sampler learns from it" if baseline.in_space else f"{apart}: the sampler does not see it"
    kept = f"of the study's arguments it keeps {', '.join(taken.kept) or 'none'}"
    dropped = f"; {', '.join(taken.dropped)}: the study's own choice, and a part of the gain" if taken.dropped else ""
    return f"trial 0, {spec.baseline_name}: {trained}{at}\n{kept}{dropped}\n({learns})"


def _steps(steps: Steps) -> str:
    low, high = steps.trials
    first = "" if steps.baseline is None else f", {steps.baseline} in the baseline"
    counted = "counted as Ultralytics accumulates (nbs / batch, rising in warm-up)"
    return f"{low if low == high else f'{low} to {high}'} in a trial{first}; {counted}"


def _space(spec: StudySpec) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    conditional = any(dimension.when for dimension in spec.searched.dimensions)
    for name in ("sampled", "range", *(["only where"] if conditional else [])):
        table.add_column(name)
    for dimension in spec.searched.dimensions:
        row = [dimension.name, describe(dimension.domain)]
        table.add_row(*row, *([_condition(dimension)] if conditional else []))
    for name, value in spec.searched.fixed:
        table.add_row(name, f"{_value(value)} (fixed)", *([""] if conditional else []))
    return table


def _condition(dimension: Dimension) -> str:
    return " and ".join(f"{each.parent} is {' or '.join(map(_value, each.values))}" for each in dimension.when)
