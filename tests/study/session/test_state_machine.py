"""The budget is exact and nothing is lost, in any order of proposals, heartbeats, reports, ends, deaths, stalls and
reaps.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import make_url, select
from typing_extensions import override

from hpo.errors import ClaimLost
from hpo.study.claims import claims
from hpo.study.database import tables
from hpo.study.database.storage import open_storage
from hpo.study.records import Proposal, Upload
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, snapshot
from hpo.study.studies.lifecycle import create_or_join
from hpo.study.studies.progress import Control
from hpo.trial.messages import encode
from hpo.trial.vocabulary import Reason
from tests import postgres
from tests.study.session import invariants
from tests.study.session.nodes import LEASE_S, Died, Node
from tests.study.support import (
    FACTS,
    IDENTITY,
    OUTSIDE,
    Clock,
    begin,
    ended,
    epoch_report,
    outlive,
    run,
    study_spec,
    value_of,
)

DEADLY = [
    "claimed",
    "asked",
    "suggested",
    "adopted",
    "readmitted",
    "begun",
    "epoch",
    "checkpointed",
    "uploaded",
    "outcome",
]
DEADLY += ["retry_asked", "requeued", "settled", "given_back", "orphan", "seized"]
ENDINGS = [reason for reason in Reason if reason is not Reason.GIVEN_BACK]
FAILURES = ["", "OSError: read-only [data/utils.py:9 in write]", "KeyError: 'x' [engine/trainer.py:7 in setup]"]
WORKERS = 3
NODE = st.integers(0, WORKERS - 1)


class Study(RuleBasedStateMachine):
    """Several workers on one study, with a clock that moves only on request."""

    template: str

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.url = self.copy()
        self.storage = open_storage(self.url, create=False)
        spec = study_spec(pruner="sha", trials=6, retries=1, baseline=True, seed=3, lease_s=LEASE_S)
        self.study = create_or_join(self.storage, spec, IDENTITY, FACTS)
        self.clock = Clock()
        self.nodes = [self.start() for _ in range(WORKERS)]
        self.ghosts: list[Node] = []
        """Nodes that died; nothing that they try may be written."""

    def copy(self) -> str:
        source = make_url(self.template).database
        assert source is not None
        shutil.copy(source, self.folder / "hpo.db")
        return f"sqlite:///{self.folder / 'hpo.db'}"

    def discard(self) -> None:
        self.storage.close()

    def start(self) -> Node:
        def failpoint(point: str) -> None:
            if point == node.fatal:
                raise Died

        session = WorkerSession(self.storage, self.study, "w", OUTSIDE, failpoint=failpoint, clock=self.clock)
        node = Node(session, self.clock.now)
        return node

    def alive(self, node: Node, call: Any, *args: Any) -> Any:
        """Return the call's result; after a death in it a new worker replaces the node, and the result is None."""
        try:
            return call(*args)
        except Died:
            self.bury(node)
        except ClaimLost:
            for token in [token for token in args if token in node.running]:
                assert self.owner(token) is None, "a claim that is held was called lost"
                node.session.drop(token)
                del node.running[token]
        return None

    def owner(self, token: str) -> Any:
        return self.storage.read(lambda connection: claims.of_token(connection, token))

    def bury(self, node: Node) -> None:
        node.fatal = None
        self.ghosts.append(node)
        self.nodes[self.nodes.index(node)] = self.start()

    @rule(which=NODE, point=st.sampled_from(DEADLY))
    def will_die_at(self, which: int, point: str) -> None:
        self.nodes[which].fatal = point

    @rule(which=NODE)
    def stall_or_go_on(self, which: int) -> None:
        """Stall and continue: SIGSTOP and SIGCONT, or a network that is cut and restored."""
        self.nodes[which].stalled ^= True

    @rule(quarters=st.integers(1, 6))
    def time_passes(self, quarters: int) -> None:
        for _ in range(quarters):
            self.clock.pass_(seconds=LEASE_S / 4)
            for node in self.nodes:
                node.beat(self.clock)

    @rule()
    def the_database_is_away(self) -> None:
        """During an outage no worker sends heartbeats, and none may be reaped for it."""
        self.clock.pass_(seconds=3 * LEASE_S)
        before = self.deaths()
        for node in list(self.nodes):
            node.in_contact_from = self.clock.now
            if not node.stalled:
                node.session.beat()
                self.alive(node, node.session.reap)
        assert self.deaths() == before

    def deaths(self) -> int:
        return sum(row.reason is Reason.KILLED for row in snapshot.trials(self.storage, self.study))

    @rule(which=NODE)
    def reap(self, which: int) -> None:
        node = self.nodes[which]
        if node.stalled:
            return
        node.session.beat()
        if self.alive(node, node.session.reap) is None or node.in_contact_s(self.clock) < 2 * LEASE_S:
            return
        oldest = self.clock.now - timedelta(seconds=2 * LEASE_S)
        running = select(tables.claims).where(tables.claims.c.token.is_not(None), tables.claims.c.beat_at < oldest)
        assert self.storage.read(lambda connection: list(connection.execute(running))) == []

    @rule(lr0=st.sampled_from([0.0123, 99.0, "no number"]))
    def somebody_enqueues_a_trial(self, lr0: object) -> None:
        """A person may use Optuna's own call; one of these values lies in the space."""
        optuna.load_study(study_name=self.study.name, storage=self.storage.optuna).enqueue_trial({"lr0": lr0})

    @precondition(lambda self: any(not node.stalled and len(node.running) < 2 for node in self.nodes))
    @rule(data=st.data())
    def admit(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from([node for node in self.nodes if not node.stalled and len(node.running) < 2]))
        proposal = self.alive(node, node.session.admit)
        if proposal is None:
            return
        assert all(proposal.token not in other.running for other in self.nodes)
        node.running[proposal.token] = (proposal, proposal.resume_epoch)
        self.alive(node, self.begin, node, proposal, proposal.token)

    def begin(self, node: Node, proposal: Proposal, _token: str) -> None:
        folder = self.folder / f"{proposal.number}-{proposal.attempt}"
        folder.mkdir()
        begin(node.session, proposal, folder)

    def draw(self, data: st.DataObject) -> tuple[Node, str] | None:
        """Return a trial of a node that is not stalled."""
        found = [(node, token) for node in self.nodes if not node.stalled for token in sorted(node.running)]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(data=st.data(), objective=st.sampled_from([0.1, 0.5, 0.9, float("nan")]), checkpoint=st.booleans())
    def train_an_epoch(self, data: st.DataObject, objective: float, checkpoint: bool) -> None:
        drawn = self.draw(data)
        if drawn is None:
            return
        node, token = drawn
        proposal, done = node.running[token]
        node.running[token] = (proposal, done + 1)
        self.alive(node, node.session.report, token, epoch_report(done + 1, objective))
        if checkpoint and node in self.nodes and token in node.running:
            path = self.folder / f"{token}.pt"
            path.touch()
            self.alive(node, node.session.checkpointed, token, done + 1, str(path))
        if checkpoint and node in self.nodes and token in node.running:
            self.alive(node, node.session.uploads.add, token, Upload(done + 1, "0" * 64, f"{token}/{done + 1}"))

    @rule()
    def somebody_resumes(self) -> None:
        """A failure that repeats before any trial has an epoch pauses the study."""
        controls.set_control(self.storage, self.study, Control.RUN, "me")

    @rule(data=st.data(), reason=st.sampled_from([*ENDINGS, Reason.CRASH]), written=st.booleans())
    def end(self, data: st.DataObject, reason: Reason, written: bool) -> None:
        drawn = self.draw(data)
        if drawn is None:
            return
        node, token = drawn
        proposal, done = node.running[token]
        value = value_of(proposal.params) if reason is Reason.COMPLETE else None
        detail = data.draw(st.sampled_from(FAILURES)) if reason is Reason.CRASH else ""
        message = ended(reason, value, done, detail)
        if written:
            folder = self.folder / f"{proposal.number}-{proposal.attempt}"
            (folder / "ended.json").write_bytes(encode(message))
        self.alive(node, node.session.end, token, message)
        node.running.pop(token, None)

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        drawn = self.draw(data)
        if drawn is None:
            return
        node, token = drawn
        _, done = node.running[token]
        self.alive(node, node.session.give_back, token, done, None)
        node.running.pop(token, None)

    @rule(which=NODE)
    def die(self, which: int) -> None:
        self.bury(self.nodes[which])

    @precondition(lambda self: self.ghosts)
    @rule(data=st.data())
    def a_ghost_writes_nothing_that_is_not_its_own(self, data: st.DataObject) -> None:
        ghost = data.draw(st.sampled_from(self.ghosts))
        for token in ghost.running:
            if self.owner(token) is None:
                with pytest.raises(ClaimLost):
                    ghost.session.report(token, epoch_report(1, 0.5))

    @invariant()
    def holds(self) -> None:
        invariants.check(self.storage, self.study)

    @override
    def teardown(self) -> None:
        try:
            node = self.start()
            controls.set_control(self.storage, self.study, Control.RUN, "me")
            outlive(node.session, self.clock)
            run(node.session)
            assert node.session.finished() == "budget spent"
            invariants.check_end(self.storage, self.study)
        finally:
            self.discard()
            shutil.rmtree(self.folder)


class StudyOnPostgres(Study):
    server: str

    @override
    def copy(self) -> str:
        return postgres.create_database(self.server, str(make_url(self.template).database))

    @override
    def discard(self) -> None:
        super().discard()
        postgres.drop_database(self.server, self.url)


@pytest.mark.parametrize("examples", [10, pytest.param(40, marks=pytest.mark.long)])
def test_the_budget_is_exact_whatever_dies(template: str, request: pytest.FixtureRequest, examples: int) -> None:
    machine = Study
    if not template.startswith("sqlite"):
        StudyOnPostgres.server = request.getfixturevalue("postgres_server")
        machine, examples = StudyOnPostgres, examples // 4
    machine.template = template
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
