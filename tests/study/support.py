"""A study for tests, and a training that takes no time."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hpo.study.records import Facts, Identity, Proposal, StudyRow
from hpo.study.session.recording import Place
from hpo.study.session.worker_session import WorkerSession
from hpo.studyfile.planning.plan import BaselinePlan
from hpo.studyfile.schema import Budget, Method, Recovery, Search, StudySpec
from hpo.studyfile.space import Choices, Condition, Dimension, FloatRange, IntRange, Space
from hpo.trial.messages import Ended, EpochReport
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason, Scalar

IDENTITY = Identity(data_fingerprint="d" * 64, model_sha256="m" * 64)
FACTS = Facts(
    model_yaml="nc: 4\n", dataset={"yaml": "/data/data.yaml", "names": [], "splits": {}}, versions={"hpo": "0.1.0"}
)
SPACE = Space(
    (
        Dimension("lr0", FloatRange(1e-4, 1e-1, log=True)),
        Dimension("mosaic", FloatRange(0.0, 1.0)),
        Dimension("batch", IntRange(4, 16, step=4)),
    )
)
CONDITIONAL = Space(
    (
        Dimension("optimizer", Choices(("SGD", "AdamW"))),
        Dimension("lr0", FloatRange(1e-4, 1e-1, log=True)),
        Dimension("warmup_momentum", FloatRange(0.0, 0.95), (Condition("optimizer", ("SGD",)),)),
    )
)
INSIDE = BaselinePlan(
    train={"epochs": 10, "lr0": 0.01},
    params={"lr0": 0.01, "mosaic": 1.0, "batch": 16},
    in_space=True,
    operating_point=None,
)
OUTSIDE = BaselinePlan(
    train={"epochs": 10, "lr0": 0.9},
    params={"lr0": 0.9, "mosaic": 1.0, "batch": 16},
    in_space=False,
    operating_point=None,
)


def study_spec(name: str = "digits", *, sampler: str = "random", pruner: str = "none", **changes: Any) -> StudySpec:
    """Return a study of ten epochs per trial; keyword arguments replace fields of the specification, its search or its
    budget.
    """
    nested: dict[str, tuple[Any, tuple[str, ...]]] = {
        "search": (Search(sampler=Method(sampler), pruner=Method(pruner)), ("seed", "enqueue")),
        "budget": (Budget(trials=5), ("trials", "hours")),
        "recovery": (Recovery(), ("retries", "lease_s", "patience_s")),
    }
    for field, (default, keys) in nested.items():
        given = {key: changes.pop(key) for key in keys if key in changes}
        changes.setdefault(field, dataclasses.replace(default, **given))
    fields: dict[str, Any] = {"baseline": False, "space": SPACE, "train": (("epochs", 10),), "plots": "none", **changes}
    return StudySpec(name=name, data="/data/data.yaml", model="/models/n.yaml", **fields)


class Clock:
    """A clock that moves only on request."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **passed: float) -> None:
        self.now += timedelta(**passed)


def value_of(params: dict[str, Scalar]) -> float:
    """Return a deterministic objective in [0, 1]."""
    numbers = [float(value) for value in params.values() if isinstance(value, (int, float))]
    return round(abs(sum(numbers) * 0.37) % 1.0, 6)


def epoch_report(epoch: int, objective: float, at: float = 1_767_225_600.0) -> EpochReport:
    metrics = {"metrics/mAP50B": objective, "train/box_loss": 1.0 / epoch}
    return EpochReport(epoch, objective, metrics, seconds=1.5, recorded_at=at + epoch)


def ended(reason: Reason = Reason.COMPLETE, value: float | None = None, epochs: int = 10, detail: str = "") -> Ended:
    metrics = {} if value is None else {"map50": value}
    return Ended(reason, detail, epochs, value, metrics, epochs or None, recorded_at=1_767_225_700.0)


def begin(session: WorkerSession, proposal: Proposal, folder: Path | str = "/attempt") -> None:
    train = {"epochs": 10, "warmup_epochs": 0.0}
    if Path(folder).is_dir():
        AttemptPaths(Path(folder)).claim(proposal.token)
    session.begin(proposal.token, train, None, Place(str(folder)), proposal.resume_epoch)


def train(session: WorkerSession, proposal: Proposal, epochs: int = 2) -> None:
    """Run a whole attempt that completes."""
    begin(session, proposal)
    session.started(proposal.token, {"batch": 8}, proposal.resume_epoch)
    value = value_of(proposal.params)
    for epoch in range(proposal.resume_epoch + 1, epochs + 1):
        session.report(proposal.token, epoch_report(epoch, value * epoch / epochs))
    session.end(proposal.token, ended(value=value, epochs=epochs))


def outlive(session: WorkerSession, clock: Clock) -> tuple[int, ...]:
    """Look until every lease that no other worker renews has run out, and settle what is possible; return the trials'
    numbers.
    """
    for _ in range(5):
        session.beat()
        clock.pass_(seconds=session.beat_every_s)
    session.beat()
    return session.reap()


def run(session: WorkerSession, at_most: int = 1_000) -> list[Proposal]:
    """Train until no trial is admitted."""
    proposals = []
    for proposal in itertools.islice(iter(session.admit, None), at_most):
        train(session, proposal)
        proposals.append(proposal)
    return proposals


def params_of(proposals: Sequence[Proposal]) -> list[dict[str, Scalar]]:
    return [proposal.params for proposal in proposals]


MakeStudy = Callable[[StudySpec], StudyRow]


def admit(session: WorkerSession, folder: Path | str = "/attempt") -> Proposal:
    proposal = session.admit()
    assert proposal is not None
    begin(session, proposal, folder)
    return proposal


def admit_only(session: WorkerSession) -> Proposal:
    proposal = session.admit()
    assert proposal is not None
    return proposal
