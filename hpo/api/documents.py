"""The documented JSON forms: what ``--json`` prints, and what the objects of the API hold."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.confirmation.record import Stage
    from hpo.orchestration.handover import Handover
    from hpo.study.records import AttemptRow, TrialRow
    from hpo.study.status import StatusRow

METRICS = ("map50", "map50_95", "precision", "recall", "f1")


def plain(value: Any) -> Any:
    """Return the JSON form of a value that JSON lacks; the ``default`` of ``json.dumps``.

    Args:
        value: A time, or something else.

    Returns:
        The time as ISO 8601 text.

    Raises:
        TypeError: It is no time.
    """
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def finite(value: Any) -> Any:
    """Return a value with null for each number that JSON lacks.

    Args:
        value: Plain values, dicts and lists.

    Returns:
        The same without NaN and infinities.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value


def trial_json(row: TrialRow) -> dict[str, Any]:
    """Give the documented JSON form of a trial.

    Args:
        row: The trial.

    Returns:
        What ``hpo trials --json`` lists of it; times stay ``datetime``.
    """
    return {
        "number": row.number,
        "state": row.state.value,
        "value": row.value,
        "params": row.params,
        "metrics": {name: row.metrics.get(name) for name in METRICS},
        "reason": None if row.reason is None else str(row.reason),
        "epochs": row.epochs,
        "worker": row.worker,
        "started": row.started,
        "finished": row.finished,
        "duration_s": row.duration_s,
        "mlflow_run_id": row.mlflow_run_id,
        "operating_point": None if row.operating_point is None else row.operating_point.to_dict(),
        "sweep": None if row.sweep is None else row.sweep.to_dict(),
    }


def attempt_json(row: AttemptRow) -> dict[str, Any]:
    """Give the documented JSON form of an attempt; its peak of memory stands beside what was trained.

    Args:
        row: The attempt.

    Returns:
        What ``hpo trial --json`` lists of it; times stay ``datetime``.
    """
    known = dict(vars(row))
    peak = known.pop("peak_mib")
    return known if peak is None else known | {"effective": row.effective | {"peak_mib": peak}}


def status_json(row: StatusRow, stage: Stage | None = None) -> dict[str, Any]:
    """Give the documented JSON form of a study's status.

    Args:
        row: Where the study stands.
        stage: Its confirmation, where one has begun.

    Returns:
        What ``hpo status --json`` prints; times stay ``datetime``.
    """
    return {
        "study": row.name,
        "state": str(row.state),
        "budget": vars(row.budget),
        "counts": {state.value.lower(): count for state, count in row.counts.items()},
        "best": None if row.best is None else trial_json(row.best),
        "workers": [vars(worker) | {"running": [vars(trial) for trial in worker.running]} for worker in row.workers],
        "control": row.control,
        "control_reason": row.control_reason,
        "device_hours": row.device_hours,
        "wasted_hours": {reason.value: hours for reason, hours in row.wasted_hours.items()},
        "left_s": row.left_s,
        "confirm": None if stage is None else stage.to_dict(),
    }


def best_json(winner: TrialRow, stage: Stage | None, files: Handover | None, weights: Path | None) -> dict[str, Any]:
    """Give the documented JSON form of a best trial.

    Args:
        winner: The trial.
        stage: The study's confirmation, where one has begun.
        files: What was saved of the trial, where it was.
        weights: Its best.pt, where it lies on this machine.

    Returns:
        What ``hpo best --json`` prints.
    """
    facts = trial_json(winner)
    return {name: facts[name] for name in ("number", "value", "params", "metrics", "operating_point", "sweep")} | {
        "confirm": None if stage is None else stage.to_dict(),
        "weights": None if weights is None else str(weights),
        "hyperparameters": None if files is None else str(files.hyperparameters),
        "predict": None if files is None else _text(files.predict),
        "operating_point_file": None if files is None else _text(files.operating_point),
    }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
