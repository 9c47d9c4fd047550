"""Trials of earlier studies that a study's samplers and pruners learn from (``warm_start`` in its file)."""

from __future__ import annotations

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, select

from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.optuna_internals import optuna_trials
from hpo.study.optuna_internals.attributes import COMPLETED_RUNG, OUTSIDE
from hpo.study.records import StudyRow


def finished(storage: Storage, study: StudyRow) -> list[int]:
    """Return the numbers of the trials of ``study`` that teach another one something."""
    read = storage.read(lambda connection: optuna_trials.read(connection, study.id, -1, ()))
    ended = [trial for trial in read.values() if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    return [trial.number for trial in ended if OUTSIDE not in trial.user_attrs]


def trials(storage: Storage, study: StudyRow) -> dict[int, list[FrozenTrial]]:
    """Return the trials that the study took over, by its id, without those deleted since.

    All are numbered -1, so they come before the study's own. The number is not lower, because Optuna starts there in
    its search for the parameters that all trials have in common (``IntersectionSearchSpace``, 5.0.0); with lower
    numbers it would use the parameters of the last trial only.
    """
    wanted = study.facts.warm.history
    if not wanted:
        return {}
    found = storage.read(lambda connection: _read(connection, wanted))
    for trial in found:
        trial.number = -1
        trial.system_attrs = {key: value for key, value in trial.system_attrs.items() if key.startswith(COMPLETED_RUNG)}
    return {study.id: found}


def _read(connection: Connection, wanted: dict[str, list[int]]) -> list[FrozenTrial]:
    rows = select(tables.studies.c.uuid, tables.studies.c.id).where(tables.studies.c.uuid.in_(wanted))
    ids = {row.uuid: row.id for row in connection.execute(rows)}
    found: list[FrozenTrial] = []
    for uuid, numbers in wanted.items():
        known = optuna_trials.read(connection, ids[uuid], -1, ()) if uuid in ids else {}
        chosen = set(numbers)
        found += [trial for trial in known.values() if trial.number in chosen]
    return found
