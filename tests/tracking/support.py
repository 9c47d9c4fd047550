"""Rows of a small study, an in-memory reader of them, and readers of an MLflow store's content."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hpo.evidence.document import VerdictDocument
from hpo.settings import Settings
from hpo.study.records import AttemptRow, EpochRow, Facts, Identity, StudyRow, TrialRow
from hpo.studyfile.schema import Plots, StudySpec
from hpo.studyfile.space import Choices, Dimension, FloatRange, Space
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Postprocess, Reason, TrialState

BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
UUID = "0a1b2c3d-0000-4000-8000-000000000001"
STATES = {
    Reason.COMPLETE: TrialState.COMPLETE,
    Reason.PRUNED: TrialState.PRUNED,
    Reason.DIVERGED: TrialState.PRUNED,
    Reason.CRASH: TrialState.FAIL,
    Reason.GIVEN_BACK: TrialState.WAITING,
}


@dataclass
class Rows:
    """A study's rows in memory, in the form that the database gives."""

    study: StudyRow
    by_number: dict[int, TrialRow] = field(default_factory=dict)
    epochs_of: dict[int, list[EpochRow]] = field(default_factory=dict)
    experiment_id: str | None = None

    def trials(self) -> list[TrialRow]:
        return [self.by_number[number] for number in sorted(self.by_number)]

    def trial(self, number: int) -> TrialRow:
        return self.by_number[number]

    def epochs(self, number: int) -> list[EpochRow]:
        return self.epochs_of[number]

    def verdict(self) -> VerdictDocument | None:
        return None

    def set_run(self, number: int, run_id: str) -> None:
        self.by_number[number] = replace(self.by_number[number], mlflow_run_id=run_id)

    def set_experiment(self, experiment_id: str) -> None:
        self.experiment_id = experiment_id
        self.study = replace(self.study, mlflow_experiment_id=experiment_id)

    def put(self, trial: TrialRow, epochs: list[EpochRow]) -> None:
        self.by_number[trial.number] = trial
        self.epochs_of[trial.number] = epochs


def make_study(*, uuid: str = UUID, name: str = "digits", plots: Plots = "none") -> StudyRow:
    space = Space(
        (
            Dimension("lr0", FloatRange(1e-4, 1e-1, log=True)),
            Dimension("weight_decay", FloatRange(1e-5, 1e-3, log=True)),
            Dimension("optimizer", Choices(("SGD", "AdamW"))),
            Dimension("iou", FloatRange(0.4, 0.7)),
            Dimension("conf", FloatRange(0.1, 0.5)),
        )
    )
    spec = StudySpec(
        name=name,
        data="/sets/digits/data.yaml",
        model="yolov8n.yaml",
        train=(("epochs", 5),),
        space=space,
        postprocess=Postprocess.SAMPLED,
        plots=plots,
    )
    facts = Facts("nc: 4\n", {"nc": 4, "images": 240}, {"torch": "2.15.0", "ultralytics": "8.4.190"})
    return StudyRow(1, uuid, name, spec, "5" * 64, Identity("d" * 64, "e" * 64), facts, BEGIN, None)


def make_epochs(number: int, epochs: int, attempt: int = 1, start: int = 0) -> list[EpochRow]:
    rng = random.Random(number)
    began = BEGIN + timedelta(minutes=10 * number)
    return [
        EpochRow(
            number,
            attempt,
            epoch,
            objective=round(0.1 * epoch * rng.uniform(0.5, 1), 6),
            metrics={
                "metrics/precision(B)": rng.random(),
                "metrics/recall(B)": rng.random(),
                "metrics/mAP50(B)": rng.random(),
                "metrics/mAP50-95(B)": rng.random(),
                "train/box_loss": rng.random(),
                "train/cls_loss": rng.random(),
                "train/dfl_loss": rng.random(),
                "val/box_loss": rng.random(),
                "val/cls_loss": rng.random(),
                "val/dfl_loss": rng.random(),
                "lr/pg0": rng.random(),
            },
            seconds=30.0,
            recorded_at=began + timedelta(seconds=30 * epoch),
        )
        for epoch in range(start + 1, epochs + 1)
    ]


def make_trial(
    number: int, reason: Reason | None = Reason.COMPLETE, *, epochs: int = 5, folder: str | None = None
) -> TrialRow:
    """Return a trial that ended with ``reason``; with None it runs."""
    rng = random.Random(number)
    began = BEGIN + timedelta(minutes=10 * number)
    ended = None if reason is None else began + timedelta(seconds=30 * epochs + 5)
    value = round(random.Random(-number).uniform(0.2, 0.7), 6) if reason is Reason.COMPLETE else None
    params = {
        "lr0": 10 ** rng.uniform(-4, -1),
        "weight_decay": 10 ** rng.uniform(-5, -3),
        "optimizer": rng.choice(["SGD", "AdamW"]),
        "iou": rng.uniform(0.4, 0.7),
        "conf": rng.uniform(0.1, 0.5),
    }
    point = OperatingPoint(params["iou"], params["conf"])  # type: ignore[arg-type]
    train = {name: value for name, value in params.items() if name not in {"iou", "conf"}}
    attempt = AttemptRow(
        number,
        1,
        "node-1",
        began,
        ended,
        reason,
        "",
        folder or "",
        {"device": "cpu", "batch": 8},
        resumed_from=0,
        token=Path(folder).name if folder else f"token-{number}",
    )
    metrics = {"map50": 0.5, "map50_95": 0.3, "precision": 0.6, "recall": 0.4, "f1": 0.48} if value else {}
    waiting = reason is Reason.GIVEN_BACK
    return TrialRow(
        number=number,
        ordinal=number,
        state=TrialState.RUNNING if reason is None else STATES[reason],
        counts=reason is not None,
        baseline=number == 0,
        value=value,
        params=params,  # type: ignore[arg-type]
        metrics=metrics,
        reason=reason,
        detail="" if reason is not Reason.CRASH else "the process ended with signal 11",
        epochs=epochs,
        worker="node-1",
        started=began,
        finished=None if waiting else ended,
        duration_s=None if ended is None else (ended - began).total_seconds(),
        mlflow_run_id=None,
        operating_point=point,
        train={"epochs": 5, "batch": 16, "mosaic": 1.0, "nested": [1, 2], **train},
        folder=folder,
        attempts=(attempt,),
    )


def make_rows(reasons: list[Reason | None], *, epochs: int = 5, study: StudyRow | None = None) -> Rows:
    rows = Rows(study or make_study())
    for number, reason in enumerate(reasons):
        trained = epochs if reason is Reason.COMPLETE else min(epochs, 3)
        rows.put(make_trial(number, reason, epochs=trained), make_epochs(number, trained))
    return rows


def attempt_folder(folder: Path, *, weights: bool = True, pictures: tuple[str, ...] = ()) -> Path:
    """Write the files of a finished training; the attempt's token is the folder's name."""
    (folder / "weights").mkdir(parents=True)
    AttemptPaths(folder).claim(folder.name)
    if weights:
        (folder / "weights" / "best.pt").write_bytes(b"weights of " + folder.name.encode())
    (folder / "args.yaml").write_text("epochs: 5\n")
    (folder / "results.csv").write_text("epoch,loss\n1,2.5\n")
    (folder / "log.txt").write_text("not uploaded")
    for name in pictures:
        (folder / name).write_bytes(b"picture " + name.encode())
    return folder


def settings_in(home: Path) -> Settings:
    """Return settings with MLflow's SQLite store and local artifacts, as ``hpo run`` uses them by default."""
    return Settings(home, f"sqlite:///{home / 'hpo.db'}", f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts")


def store(settings: Settings) -> Path:
    return Path(settings.tracking_uri.removeprefix("sqlite:///"))


def copy_store(source: Path, target: Path) -> None:
    """Return a copy of the whole database, including the content of its write-ahead log."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        new.execute("PRAGMA journal_mode=WAL")
        old.backup(new)


def shown(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the content of the store's active runs, by key, without run ids, which differ between stores."""
    connection = sqlite3.connect(store(settings))
    sql = "SELECT run_uuid, name, status, start_time, end_time FROM runs WHERE lifecycle_stage = 'active'"
    runs = connection.execute(sql).fetchall()
    held = {}
    for run_id, *info in runs:
        tags = dict(connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,)))
        metrics = "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? ORDER BY 1, 4, 3"
        held[tags["hpo.trial"]] = {
            "info": info,
            "tags": tags,
            "params": dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,))),
            "metrics": connection.execute(metrics, (run_id,)).fetchall(),
        }
    connection.close()
    return held


def runs_by_key(settings: Settings) -> Counter[str]:
    """Return the number of active runs of each key."""
    connection = sqlite3.connect(store(settings))
    sql = "SELECT t.value FROM tags t JOIN runs r USING (run_uuid) WHERE t.key = ? AND r.lifecycle_stage = 'active'"
    counts = Counter(value for (value,) in connection.execute(sql, ("hpo.trial",)))
    connection.close()
    return counts


def uploaded(settings: Settings, run_id: str) -> dict[str, bytes]:
    """Return the run's artifacts by path."""
    assert settings.artifact_root is not None
    roots = list(settings.artifact_root.glob(f"*/{run_id}/artifacts"))
    return {
        str(path.relative_to(root)): path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file()
    }
