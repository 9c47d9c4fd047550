"""Sentences and numbers that both forms of a report print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.report.facts import Report
from hpo.study.plots.importance import MOST_COMPLETE
from hpo.study.records import TrialRow
from hpo.study.studies import at_bounds as chosen
from hpo.studyfile.serialize import dump_yaml
from hpo.trial import wording
from hpo.trial.versions import used_beside
from hpo.trial.vocabulary import Reason, TrialState


def short(value: Any) -> str:
    """Return four significant digits; a dash for None."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def versions(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def other_versions(report: Report) -> str:
    """Return the versions that trials were trained with and that are not the study's; empty if there are none."""
    tried = [attempt.effective for row in report.trials for attempt in row.attempts]
    used = used_beside(report.study.facts.versions, tried)
    if not used:
        return ""
    listed = [f"{name} {' and '.join(found)}" for name, found in used.items()]
    return f"Trials were also trained with {', '.join(listed)}."


def question(report: Report) -> str:
    spec, told = report.spec, report.study.facts.warm.told
    names = ", ".join(spec.searched.names) or "nothing"
    swept = " NMS IoU and confidence were chosen for each trained model by an exact sweep." if spec.is_swept else ""
    warm = f" Warm start from {'; from '.join(told)}." if told else ""
    return (
        f"Which training settings give {Path(spec.model).name} the best {spec.objective} on "
        f"{Path(spec.data).parent.name}? Searched: {names}; {spec.epochs} epochs a trial, sampler "
        f"{spec.search.sampler.name}, pruner {spec.search.pruner.name}, seed {spec.search.seed}.{swept}{warm}"
    )


def standing(report: Report) -> str:
    """Return how far the search is, and how strong the evidence for its best trial is."""
    budget, winner, baseline = report.status.budget, report.winner, report.baseline
    done = f"{budget.counted} of {budget.trials} trials are done."
    if winner.baseline:
        return f"{done} No trial reached more than the baseline: keep the defaults."
    best = f"The best is trial {winner.number} with {report.spec.objective} {short(winner.value)}"
    if baseline is None or baseline.value is None or winner.value is None:
        return f"{done} {best}; there is no baseline to compare it with."
    points = 100 * (winner.value - baseline.value)
    return f"{done} {best}, {points:+.1f} points from the baseline's {short(baseline.value)}, one training each."


def at_bounds(report: Report) -> tuple[str, ...]:
    """Return what the best trial has at a bound of its range."""
    return tuple(f"{line}." for line in chosen.at_bounds(report.spec, report.winner))


def sampled(report: Report) -> str:
    """Return that importances are of a sample; empty where they are of all complete trials."""
    count = sum(row.state is TrialState.COMPLETE for row in report.trials)
    return f"Computed from {MOST_COMPLETE} of {count} complete trials." if count > MOST_COMPLETE else ""


def verdict(report: Report) -> tuple[str, ...]:
    if report.verdict:
        return report.verdict
    return (
        f"Not confirmed. The best of {report.status.budget.counted} noisy trials is lucky in part, since two trainings "
        f"of one configuration differ too. To know whether it beats the defaults: hpo confirm {report.study.name}",
    )


def cautions(report: Report) -> tuple[str, ...]:
    """Return what values on val can't show."""
    return tuple(f"{caution[0].upper()}{caution[1:]}." for caution in report.study.facts.cautions)


def operating_point(row: TrialRow) -> tuple[str, ...]:
    """Return the setting to deploy, and the evidence for it."""
    if row.operating_point is None:
        return ("Ultralytics' defaults: this study neither samples nor sweeps suppression and confidence.",)
    if row.sweep is None:
        return (wording.setting(row.operating_point),)
    return (
        f"{wording.setting(row.sweep.recommended_point)} is recommended.",
        f"Best on the validation split: {wording.setting(row.sweep.best.point)}; {wording.gain(row.sweep)}",
    )


def prediction(row: TrialRow) -> str:
    """Return how to use the saved winner."""
    if row.recommended_point.is_plain:
        return "yolo predict cfg=winner/predict.yaml source=IMAGES"
    return f"in Python: {wording.in_python('winner/best.pt', 'winner/operating_point.json')}"


def sizes(report: Report) -> str:
    boxes = report.boxes
    if boxes is None:
        return "The data is not on the machine that wrote this report: no object sizes, no images."
    counts = {"small": boxes.small, "medium": boxes.medium, "large": boxes.large}
    shares = ", ".join(f"{100 * count / sum(counts.values()):.0f}% {name}" for name, count in counts.items())
    low, middle, high = (100 * side for side in boxes.sides)
    return (
        f"Objects by COCO's areas: {shares} ({boxes.images} images looked at). A box's side is {middle:.0f}% of its "
        f"image's in the median (10% to 90%: {low:.0f}% to {high:.0f}%)."
    )


def cost(report: Report) -> str:
    spent = report.cost
    told = (
        f"{spent.total:.2f} hours of devices: {spent.complete:.2f} h in complete trials, {spent.pruned:.2f} h in "
        f"pruned ones, {spent.failed:.2f} h in failed or lost work."
    )
    if spent.gain_per_hour is None:
        return told
    return f"{told} Gain of the best over the baseline: {spent.gain_per_hour:.3g} points an hour."


def state(row: TrialRow) -> str:
    if row.reason in (None, Reason.COMPLETE, Reason.PRUNED):
        return row.state.value.lower()
    return f"{row.state.value.lower()}: {row.reason}"


def mark(report: Report, row: TrialRow) -> str:
    if row.number == report.winner.number:
        return "best"
    return "baseline" if row.baseline and row.state is not TrialState.FAIL else ""


def study_file(report: Report) -> str:
    """Return the study as it was run, as YAML."""
    return dump_yaml(report.spec)
