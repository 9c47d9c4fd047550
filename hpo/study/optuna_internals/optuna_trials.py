"""Optuna's trials, read and made in a few plain statements.

Optuna's reader builds an ORM object for every row, 1.2 ms a trial, and its writer checks before each attribute whether
that exists already. A worker needs both for every proposal. Tests compare what is read and made here with what Optuna's
own calls read.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Container, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Executable, Row, Select, Table, bindparam, func, literal, or_, select, union_all

from hpo.study.optuna_internals import optuna_rows
from hpo.study.optuna_internals.needs import required
from hpo.study.optuna_internals.optuna_rows import INTERMEDIATE, PARAMS, STUDIES, SYSTEM, TRIALS, USER, VALUES

with required():
    from optuna.storages._rdb import models

    _to_value = models.TrialValueModel.stored_repr_to_value
    _to_intermediate = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value

_A_BATCH = 500
_TRIALS = (
    select(TRIALS, VALUES.c.value, VALUES.c.value_type)
    .select_from(TRIALS.join(VALUES, VALUES.c.trial_id == TRIALS.c.trial_id, isouter=True))
    .where(TRIALS.c.study_id == bindparam("study"))
    .where(or_(TRIALS.c.trial_id > bindparam("after"), TRIALS.c.trial_id.in_(bindparam("ids", expanding=True))))
    .order_by(TRIALS.c.trial_id, VALUES.c.objective)
)
_LOCK = select(STUDIES.c.study_id).where(STUDIES.c.study_id == bindparam("study")).with_for_update()
_NEXT_NUMBER = select(func.coalesce(func.max(TRIALS.c.number) + 1, 0)).where(TRIALS.c.study_id == bindparam("study"))
_INSERT = TRIALS.insert().values(number=_NEXT_NUMBER.scalar_subquery()).returning(TRIALS.c.trial_id, TRIALS.c.number)


def _rows_of(table: Table, *order: str) -> Select[Any]:
    mine = table.c.trial_id.in_(bindparam("ids", expanding=True))
    return select(table).where(mine).order_by(*(table.c[name] for name in order))


def _attributes_of(table: Table) -> Select[Any]:
    columns = (table.c.trial_id, table.c.key, table.c.value_json, literal(table is USER).label("is_users"))
    return select(*columns).where(table.c.trial_id.in_(bindparam("ids", expanding=True)))


_PARAMS = _rows_of(PARAMS, "trial_id", "param_id")
_ATTRIBUTES = union_all(*(_attributes_of(table) for table in (USER, SYSTEM)))
_INTERMEDIATE = _rows_of(INTERMEDIATE, "trial_id", "step")


def read(
    connection: Connection, study_id: int, after: int, ids: Collection[int], known: Container[int] = ()
) -> dict[int, FrozenTrial]:
    """Return the trials of a study with an id above ``after``, and those in ``ids``: id -> trial, by id.

    The result leaves out the intermediate values of trials that have not ended, which no sampler and no pruner reads,
    and those of running trials in ``known``.
    """
    rows = connection.execute(_TRIALS, {"study": study_id, "after": after, "ids": sorted(ids)}).all()
    found: dict[int, FrozenTrial] = {}
    for row in rows:  # one row for each objective
        if row.state == TrialState.RUNNING and row.trial_id in known:
            continue
        trial = found.setdefault(row.trial_id, _bare(row))
        if row.value_type is not None:
            trial.values = [*(trial.values or []), _to_value(row.value, row.value_type)]
    of_all = list(found)
    for start in range(0, len(of_all), _A_BATCH):
        _complete(connection, found, of_all[start : start + _A_BATCH])
    return found


def _bare(row: Row[Any]) -> FrozenTrial:
    return FrozenTrial(
        number=row.number,
        state=row.state,
        value=None,
        datetime_start=_local(row.datetime_start),
        datetime_complete=_local(row.datetime_complete),
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=row.trial_id,
    )


def _complete(connection: Connection, found: dict[int, FrozenTrial], ids: list[int]) -> None:
    """Add the columns of other tables to the trials ``ids``."""

    def parts(statement: Executable, ids: list[int] = ids) -> Iterator[tuple[FrozenTrial, Row[Any]]]:
        return ((found[row.trial_id], row) for row in connection.execute(statement, {"ids": ids}))

    for trial, row in parts(_PARAMS):
        known = _distribution(row.distribution_json)
        trial.params[row.param_name] = known.to_external_repr(row.param_value)
        trial.distributions[row.param_name] = known
    for trial, row in parts(_ATTRIBUTES):
        attributes = trial.user_attrs if row.is_users else trial.system_attrs
        attributes[row.key] = json.loads(row.value_json)
    ended = [trial_id for trial_id in ids if found[trial_id].state.is_finished()]
    for trial, row in parts(_INTERMEDIATE, ended) if ended else ():
        trial.intermediate_values[row.step] = _to_intermediate(row.intermediate_value, row.intermediate_value_type)


def insert(connection: Connection, study_id: int, template: FrozenTrial) -> tuple[int, FrozenTrial]:
    """Insert a new trial and return its id and the trial.

    The trial is ``template``, which has not ended, with the next number. The study's row is locked until the
    transaction ends, as Optuna locks it.
    """
    study = {"study": study_id}
    connection.execute(_LOCK, study)
    row = {"study_id": study_id, "state": template.state, "datetime_start": _utc(template.datetime_start)}
    trial, number = connection.execute(_INSERT, {**study, **row}).one()
    made = copy.deepcopy(template)
    made.number, made._trial_id = number, trial  # noqa: SLF001  (it has no public name)
    internal = [(name, known.to_internal_repr(made.params[name]), known) for name, known in made.distributions.items()]
    optuna_rows.insert_params(connection, trial, internal)
    optuna_rows.set_attributes(connection, trial, made.user_attrs, made.system_attrs)
    for step, value in made.intermediate_values.items():
        optuna_rows.set_intermediate(connection, trial, step, value)
    return trial, made


@cache
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _local(moment: datetime | None) -> datetime | None:
    """Convert a stored time (naive UTC) to the form that Optuna shows: naive, in this machine's zone."""
    return None if moment is None else moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
