"""Any order of proposals, reports, ends, deaths and repairs keeps the budget exact and loses nothing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import make_url
from typing_extensions import override

from hpo.errors import ClaimLost
from hpo.study.lifecycle import create_or_join
from hpo.study.records import Proposal
from hpo.study.storage import open_storage
from hpo.study.worker_session import WorkerSession
from hpo.trial.messages import encode
from hpo.trial.vocabulary import Reason
from tests.study import invariants
from tests.study.support import FACTS, IDENTITY, OUTSIDE, begin, ended, epoch_report, run, study_spec, value_of

DEADLY = ["claimed", "asked", "suggested", "adopted", "readmitted", "begun", "epoch", "reported", "checkpointed"]
DEADLY += ["outcome", "told", "retry_asked", "requeued", "settled", "given_back", "waiting", "orphan"]
ENDINGS = [reason for reason in Reason if reason is not Reason.GIVEN_BACK]


class Died(BaseException):
    """Stands for SIGKILL: nothing after the failpoint runs."""


class Worker(RuleBasedStateMachine):
    """One worker after another, each with up to two trials at once."""

    template: str

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        source = make_url(self.template).database
        assert source is not None
        shutil.copy(source, self.folder / "hpo.db")
        self.storage = open_storage(f"sqlite:///{self.folder / 'hpo.db'}", create=False)
        spec = study_spec(pruner="sha", trials=6, retries=1, baseline=True, seed=3)
        self.study = create_or_join(self.storage, spec, IDENTITY, FACTS)
        self.fatal: str | None = None
        self.start()

    def start(self) -> None:
        """A new worker after a death: what ran is not its own."""
        self.running: dict[str, tuple[Proposal, int]] = {}
        self.waiting = False
        self.session = WorkerSession(self.storage, self.study, "w", OUTSIDE, failpoint=self.failpoint)
        while True:
            try:
                self.session.repair()
            except Died:
                self.fatal = None
            else:
                return

    def failpoint(self, point: str) -> None:
        if point == self.fatal:
            raise Died

    def alive(self, call: Any, *args: Any) -> Any:
        """The call's result; after a death in it a new worker is there, and the result is None."""
        try:
            return call(*args)
        except Died:
            self.fatal = None
            self.start()
            return None

    @rule(point=st.sampled_from(DEADLY))
    def will_die_at(self, point: str) -> None:
        self.fatal = point

    @precondition(lambda self: len(self.running) < 2)
    @rule()
    def admit(self) -> None:
        proposal = self.alive(self.session.admit)
        if proposal is None:
            return
        assert proposal.token not in self.running
        if self.alive(self.begin, proposal):
            self.running[proposal.token] = (proposal, proposal.resume_epoch)

    def begin(self, proposal: Proposal) -> bool:
        folder = self.folder / f"{proposal.number}-{proposal.attempt}"
        folder.mkdir()
        begin(self.session, proposal, folder)
        return True

    @precondition(lambda self: self.running)
    @rule(data=st.data(), objective=st.sampled_from([0.1, 0.5, 0.9, float("nan")]), checkpoint=st.booleans())
    def train_an_epoch(self, data: st.DataObject, objective: float, checkpoint: bool) -> None:
        token = data.draw(st.sampled_from(sorted(self.running)))
        proposal, done = self.running[token]
        self.running[token] = (proposal, done + 1)
        self.alive(self.session.report, token, epoch_report(done + 1, objective))
        if checkpoint and token in self.running:
            path = self.folder / f"{token}.pt"
            path.touch()
            self.alive(self.session.checkpointed, token, done + 1, str(path))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), reason=st.sampled_from(ENDINGS), written=st.booleans())
    def end(self, data: st.DataObject, reason: Reason, written: bool) -> None:
        token = data.draw(st.sampled_from(sorted(self.running)))
        proposal, done = self.running.pop(token)
        value = value_of(proposal.params) if reason is Reason.COMPLETE else None
        message = ended(reason, value, done)
        if written:
            folder = self.folder / f"{proposal.number}-{proposal.attempt}"
            (folder / "ended.json").write_bytes(encode(message))
        self.alive(self.session.end, token, message)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(sorted(self.running)))
        _, done = self.running.pop(token)
        self.alive(self.session.give_back, token, done, None)

    @rule()
    def die(self) -> None:
        lost = dict(self.running)
        old = self.session
        self.start()
        for token in lost:
            with pytest.raises(ClaimLost):
                self.session.report(token, epoch_report(1, 0.5))
            with pytest.raises(ClaimLost):
                old.report(token, epoch_report(1, 0.5))

    @invariant()
    def holds(self) -> None:
        invariants.check(self.storage, self.study)

    @override
    def teardown(self) -> None:
        self.fatal = None
        self.start()
        run(self.session)
        assert self.session.finished() == "budget spent"
        invariants.check_end(self.storage, self.study)
        self.storage.close()
        shutil.rmtree(self.folder)


@pytest.fixture
def machine(template: str) -> type[Worker]:
    if not template.startswith("sqlite"):
        pytest.skip("the machine copies files")
    Worker.template = template
    return Worker


def test_the_budget_is_exact_whatever_dies(machine: type[Worker]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
