"""Workers of a state machine: they die at failpoints, stall and resume."""

from __future__ import annotations

from datetime import datetime, timedelta

from hpo.study.records import Proposal
from hpo.study.session.worker_session import WorkerSession
from tests.study.support import Clock

LEASE_S = 60.0


class Died(BaseException):
    """Replacement for SIGKILL: nothing after the failpoint runs."""


class Node:
    """A worker with up to two trials at once; it sends heartbeats while it lives and is not stalled."""

    def __init__(self, session: WorkerSession, now: datetime) -> None:
        self.session = session
        self.running: dict[str, tuple[Proposal, int]] = {}
        """Token -> proposal and epochs done; a node that was declared dead may still hold trials that it has lost."""
        self.fatal: str | None = None
        self.stalled = False
        self.in_contact_from = now
        """Start of its unbroken contact with the database."""

    def beat(self, clock: Clock) -> None:
        if self.stalled:
            self.in_contact_from = clock.now + timedelta(seconds=LEASE_S / 4)
        else:
            self.session.beat()

    def in_contact_s(self, clock: Clock) -> float:
        return (clock.now - self.in_contact_from).total_seconds()
