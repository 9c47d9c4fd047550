"""Content of an MLflow run, computed from rows of the database alone: same rows, same content.

Every time stamp comes from the database, never from the clock. So writing a content twice changes nothing: MLflow drops
a metric if its key, value, step and time are there already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from hpo.evidence.document import VerdictDocument
from hpo.study.records import EpochRow, StudyRow, TrialRow
from hpo.study.studies import snapshot
from hpo.studyfile.schema import POSTPROCESSING_NAMES
from hpo.trial.vocabulary import RunStatus, Scalar, TrialState, reaction

KEY_TAG = "hpo.trial"
"""Tag that finds a run again: ``<study uuid>/<trial number>``, or ``<study uuid>/study``."""
STUDY_TAG = "hpo.study"
"""Tag of the experiment and of each run: the study's uuid."""
LEASE_TAG = "token"
"""Tag of a trial's run: the attempt that wrote it last."""
CURVE_TAG = "hpo.curve"
"""Tag of a trial's run: ``<epochs>:<digest>`` of the curve that was written to it."""
LONGEST_PARAM = 6000
LONGEST_TAG = 8000
"""MLflow's limits (3.17, utils/validation.py), in characters."""


class Point(NamedTuple):
    """One value of a metric."""

    key: str
    value: float
    time_ms: int
    """Unix time in milliseconds."""
    step: int


@dataclass(frozen=True)
class RunContent:
    """A whole run without its artifacts."""

    key: str
    name: str
    started_ms: int
    ended_ms: int | None
    """End of the run; None while it runs."""
    status: RunStatus
    params: dict[str, str]
    tags: dict[str, str]
    points: tuple[Point, ...]
    curve: tuple[tuple[int, int], ...] = ()
    """Epoch and Unix time in ms of each point of a trial's curve, in order."""

    def goes_on_from(self, mark: str) -> bool:
        """Return whether this curve continues the one that ``mark`` (a run's ``CURVE_TAG``) describes."""
        return mark == _mark(self.curve[: int(mark.partition(":")[0])])

    def digest(self) -> str:
        """Return the sha256 of the whole content."""
        whole = [self.key, self.name, self.started_ms, self.ended_ms, self.status, self.params, self.tags, self.points]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _mark(curve: tuple[tuple[int, int], ...]) -> str:
    return f"{len(curve)}:{hashlib.sha256(json.dumps(curve).encode()).hexdigest()[:16]}"


def canonical(value: Any) -> str:
    """Return the only text form of a parameter, cut to MLflow's limit; MLflow refuses to change a parameter."""
    text = json.dumps(value, sort_keys=True) if isinstance(value, (list, tuple, dict)) else str(value)
    return text[:LONGEST_PARAM]


def metric_name(name: str) -> str:
    """Return the name that Ultralytics' own MLflow callback uses: ``metrics/mAP50-95(B)`` becomes
    ``metrics/mAP50-95B``.
    """
    return name.replace("(", "").replace(")", "")


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def run_key(study: StudyRow, number: int | None = None) -> str:
    """Return the key of a trial's run, or of the study's own."""
    return f"{study.uuid}/{'study' if number is None else number}"


def trial_content(study: StudyRow, trial: TrialRow, epochs: Iterable[EpochRow]) -> RunContent:
    """Return the run of one trial: one point per metric and epoch (step = epoch, from 1), then the final values."""
    started = trial.started or (trial.attempts[0].started_at if trial.attempts else study.created_at)
    running = trial.state in {TrialState.RUNNING, TrialState.WAITING}
    rows = list(epochs)
    curve = tuple((row.epoch, milliseconds(row.recorded_at)) for row in rows)
    return RunContent(
        key=run_key(study, trial.number),
        name=f"{'confirm' if study.plan else 'trial'}-{trial.number:05d}",
        started_ms=milliseconds(started),
        ended_ms=None if running else milliseconds(trial.finished or started),
        status=_status(trial),
        params=_trial_params(study, trial),
        tags=_trial_tags(study, trial) | {CURVE_TAG: _mark(curve)},
        points=(*_epoch_points(rows), *_final_points(trial)),
        curve=curve,
    )


def study_content(study: StudyRow, trials: Iterable[TrialRow], verdict: VerdictDocument | None = None) -> RunContent:
    """Return the run of the whole study: its settings, and the best value so far after each complete trial.

    ``verdict`` is the verdict of a confirmation stage.
    """
    rows, spec = list(trials), study.spec
    tags = _study_tags(study, rows)
    if verdict is not None:
        tags |= {"verdict": verdict.sentence, "verdict.json": json.dumps(verdict.to_dict(), sort_keys=True)}
    finished = [row.finished for row in rows if row.finished]
    running = any(row.state is TrialState.RUNNING for row in rows) or not finished
    search = spec.search
    params = {"model": spec.model, "data": spec.data, "metric": str(spec.objective), "sampler": search.sampler.name}
    params |= {"pruner": search.pruner.name, "seed": str(search.seed), "postprocess": spec.postprocess.value}
    return RunContent(
        key=run_key(study),
        name="confirmation" if study.plan else "study",
        started_ms=milliseconds(study.created_at),
        ended_ms=None if running else milliseconds(max(finished)),
        status=RunStatus.RUNNING if running else RunStatus.FINISHED,
        params={name: canonical(value) for name, value in params.items()},
        tags=_cut(tags),
        points=tuple(_best_points(rows)),
    )


def _status(trial: TrialRow) -> RunStatus:
    match trial.state:
        case TrialState.RUNNING | TrialState.WAITING:
            return RunStatus.RUNNING
        case TrialState.COMPLETE | TrialState.PRUNED | TrialState.FAIL if trial.reason is not None:
            return reaction(trial.reason, retries_left=0).run
        case TrialState.COMPLETE:
            return RunStatus.FINISHED
        case TrialState.PRUNED:
            return RunStatus.KILLED
        case TrialState.FAIL:
            return RunStatus.FAILED


def _trial_params(study: StudyRow, trial: TrialRow) -> dict[str, str]:
    asked: dict[str, Any] = {"model": study.spec.model, "data": study.spec.data, **trial.train, **trial.params}
    point = trial.operating_point
    # A param never changes: the result of a sweep comes too late for one, so it is among the metrics.
    if point is not None and not study.spec.is_swept:
        asked |= {name: getattr(point, name) for name in POSTPROCESSING_NAMES}
    return {name: canonical(value) for name, value in asked.items()}


def _trial_tags(study: StudyRow, trial: TrialRow) -> dict[str, str]:
    effective = trial.attempts[-1].effective if trial.attempts else {}
    tags = {
        KEY_TAG: run_key(study, trial.number),
        "stage": "confirm" if study.plan else "search",
        "number": str(trial.number),
        "ordinal": str(trial.ordinal),
        "state": trial.state.value,
        "reason": trial.reason.value if trial.reason else "",
        "detail": trial.detail,
        "worker": trial.worker or "",
        "attempts": str(len(trial.attempts)),
        LEASE_TAG: trial.attempts[-1].token if trial.attempts else "",
        "changed": json.dumps(_changed(trial.train, effective), sort_keys=True),
        **_common_tags(study),
    }
    if trial.baseline:
        tags["baseline"] = "true"
    resumed = [str(attempt.resumed_from) for attempt in trial.attempts if attempt.resumed_from]
    if resumed:
        tags |= {"resumed": "true", "resumed_from": ", ".join(resumed)}
    if study.plan and not trial.baseline:
        tags["confirms"] = str(study.plan[trial.ordinal].of)
    if "device" in effective:
        tags["device"] = str(effective["device"])
    return _cut(tags)


def _changed(asked: Mapping[str, Any], effective: Mapping[str, Scalar]) -> dict[str, list[Any]]:
    """Return the arguments that Ultralytics resolved to another value: name -> [asked, trained]."""
    both = [name for name in asked if name in effective]
    return {name: [asked[name], effective[name]] for name in both if asked[name] != effective[name]}


def _study_tags(study: StudyRow, trials: list[TrialRow]) -> dict[str, str]:
    best = snapshot.best(trials)
    counts = {state.value: sum(row.state is state for row in trials) for state in TrialState}
    return {
        KEY_TAG: run_key(study),
        "stage": "confirmation" if study.plan else "study",
        "spec_sha256": study.spec_sha256,
        "counts": json.dumps(counts),
        "dataset": json.dumps(study.facts.dataset, sort_keys=True),
        "best_trial": "" if best is None else str(best.number),
        **_common_tags(study),
    }


def _common_tags(study: StudyRow) -> dict[str, str]:
    return {
        STUDY_TAG: study.uuid,
        "dataset_fingerprint": study.identity.data_fingerprint,
        **{f"version.{name}": version for name, version in study.facts.versions.items()},
    }


def _cut(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:LONGEST_TAG] for name, value in tags.items()}


def _epoch_points(epochs: Iterable[EpochRow]) -> Iterator[Point]:
    for row in epochs:
        time_ms = milliseconds(row.recorded_at)
        yield Point("objective", row.objective, time_ms, row.epoch)
        yield Point("epoch_s", row.seconds, time_ms, row.epoch)
        for name, value in row.metrics.items():
            yield Point(metric_name(name), value, time_ms, row.epoch)


def _final_points(trial: TrialRow) -> Iterator[Point]:
    """Yield the points of a trial's final values.

    Only complete trials have ``value``, and the prepared view sorts by it: a pruned trial's last ``objective`` is what
    its pruner saw, not a result. ``objective`` gets the value too, one step after the last epoch. MLflow sorts a metric
    by its latest step, so sorting by ``objective`` ranks complete trials by their final values. A metric with one value
    has step 0: for this the UI draws bars, not curves of one point.
    """
    if trial.finished is None:
        return
    time_ms = milliseconds(trial.finished)
    for name, value in (*trial.metrics.items(), *_swept(trial).items()):
        yield Point(f"final/{name}", value, time_ms, 0)
    if trial.state is TrialState.COMPLETE and trial.value is not None:
        yield Point("value", trial.value, time_ms, 0)
        yield Point("objective", trial.value, time_ms, trial.epochs + 1)


def _swept(trial: TrialRow) -> dict[str, float]:
    """Return the setting that a sweep chose, and its gain over Ultralytics' defaults."""
    sweep = trial.sweep
    if sweep is None:
        return {}
    found = {name: getattr(sweep.best.point, name) for name in ("conf", "iou", "max_det", "agnostic_nms")}
    found |= {"gain": sweep.gain.value, "gain_low": sweep.gain.low, "gain_high": sweep.gain.high}
    found |= {name: getattr(sweep, name) for name in ("in_sample", "default_value")}
    return {name: float(value) for name, value in found.items() if value is not None}


def _best_points(trials: list[TrialRow]) -> Iterator[Point]:
    """Yield ``best_value`` after the n-th complete trial at step n, wherever it rose."""
    ends = [(row.finished, row.number, row.value) for row in trials if row.state is TrialState.COMPLETE]
    complete = sorted((when, number, value) for when, number, value in ends if when is not None and value is not None)
    best = float("-inf")
    for step, (when, _, value) in enumerate(complete, start=1):
        if value > best:
            best = value
            yield Point("best_value", value, milliseconds(when), step)
