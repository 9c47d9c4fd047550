"""Stored facts of a confirmation: its state, and each look at a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpo.evidence.document import VerdictDocument
from hpo.study.database.storage import Storage
from hpo.study.records import Look, StudyRow
from hpo.study.status import StatusRow
from hpo.study.studies import lifecycle, snapshot, verdicts


@dataclass(frozen=True)
class Stage:
    """State of a search's confirmation."""

    study: StudyRow
    status: StatusRow
    verdict: VerdictDocument | None

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        done, planned = self.status.budget.counted, self.status.budget.trials
        verdict = None if self.verdict is None else self.verdict.to_dict()
        return {"state": self.status.state, "runs": planned, "done": done, "verdict": verdict}


def stage_of(storage: Storage, search: StudyRow) -> Stage | None:
    """Return the state, or None before the stage has begun."""
    study = lifecycle.confirmation(storage, search.name)
    return None if study is None else Stage(study, snapshot.status(storage, study), verdicts.stored(storage, study))


def look(storage: Storage, stage: StudyRow, split: str, by: str) -> int:
    """Record a look at ``split`` before it is taken; return its number among the looks at this split of this data."""
    verdicts.note_look(storage, stage, by, Look(split))
    return sum(each.split == split for each in verdicts.looks(storage, stage))
