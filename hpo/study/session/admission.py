"""Admission: the choice of the trial that this worker may train next."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from hpo.errors import ClaimLost
from hpo.study.claims import claims, exclusive
from hpo.study.claims.claim import Claim
from hpo.study.claims.claims import owned
from hpo.study.claims.curve import curve, earlier, resume_point
from hpo.study.database import tables
from hpo.study.database.rows import of_trial
from hpo.study.optuna_internals import optuna_rows
from hpo.study.optuna_internals.history import Drawn
from hpo.study.records import Proposal
from hpo.study.session import proposing, registry
from hpo.study.session.context import SessionContext
from hpo.study.studies.progress import progress, spent

if TYPE_CHECKING:
    from hpo.studyfile.planning.plan import BaselinePlan


def admit(context: SessionContext, baseline: BaselinePlan | None, token: str) -> Proposal | None:
    """Admit a waiting trial (the lowest ordinal first), or a new ordinal while the budget has one; else return None.

    ``token`` then owns the attempt. After an error the claim may be incomplete: see ``reaping.undo_admission``.
    """
    claim = _claim(context, token)
    if claim is None:
        return None
    context.failpoint("claimed")
    return _propose_new(context, claim, baseline) if claim.number is None else _readmit(context, claim)


def _claim(context: SessionContext, token: str) -> Claim | None:
    """Insert or take the claim before Optuna is asked. The unique ordinal in its row keeps the budget exact."""
    spec, study_id = context.study.spec, context.study.id
    tries = itertools.count()

    def action(connection: Connection) -> Claim | None:
        mine = claims.of_token(connection, token) if next(tries) else None
        if mine is not None:
            return mine  # a repeated call after a lost acknowledgement
        claims.lock_study(connection, study_id)
        now, owner = progress(connection, study_id, hours=False), context.owner(token)
        if now.budget.hours is not None:
            registry.seen(connection, context.worker_id, context.now())  # the hours count up to this moment
            now = progress(connection, study_id)
        if not now.control.admits:
            return None
        waiting = claims.take_waiting(connection, study_id, owner)
        if waiting is not None or spent(spec, now) is not None:
            return waiting
        context.failpoint("counted")
        return claims.insert_next(connection, study_id, now.issued, owner)

    while True:
        try:
            return context.storage.write(action)
        except IntegrityError:
            continue  # a worker that did not lock the study took this ordinal in between


def _propose_new(context: SessionContext, claim: Claim, baseline: BaselinePlan | None) -> Proposal:
    planned = proposing.source(context.study, baseline, claim.ordinal)
    trial_id, number, values = proposing.ask(context, claim.ordinal, claim.token, planned)
    context.failpoint("suggested")
    row: dict[str, Any] = {"number": number, "ordinal": claim.ordinal, "baseline": planned.baseline, "params": values}
    row |= {"study_id": context.study.id, **FRESH_TRIAL}
    try:
        drawn = context.history.take_drawn(trial_id)
        context.storage.write(lambda connection: _adopt(connection, claim.token, row, (trial_id, drawn)))
    except ClaimLost:
        proposing.forget(context, trial_id)
        raise
    context.failpoint("adopted")
    return _proposal(context, claim, row, resume_epoch=0)


FRESH_TRIAL: dict[str, Any] = {"train": {}, "detail": "", "counts": False, "metrics": {}, "epochs": 0}
"""Columns of a trial that has not begun."""


def _adopt(connection: Connection, token: str, row: dict[str, Any], theirs: tuple[int, Drawn]) -> None:
    """Make the trial the claim's; until then it is an orphan that no worker trains."""
    if owned(connection, token).number == row["number"]:
        return  # a repeated call after a lost acknowledgement
    connection.execute(insert(tables.trials).values(row))
    trial_id, drawn = theirs
    optuna_rows.insert_params(connection, trial_id, drawn.params)
    optuna_rows.set_attributes(connection, trial_id, {}, drawn.attributes)
    connection.execute(update(tables.claims).where(tables.claims.c.token == token).values(number=row["number"]))


def _readmit(context: SessionContext, claim: Claim) -> Proposal:
    """Admit the same trial again: one that its worker gave back, or the retry of a dead one."""
    context.failpoint("readmitted")
    study, trial = context.study, of_trial(tables.trials, context.study.id, claim.trial_number)
    row, resume, before, rows, needed = context.storage.read(
        lambda connection: (
            connection.execute(select(tables.trials).where(trial)).mappings().one(),
            resume_point(connection, study, claim.ordinal),
            earlier(connection, study, claim.ordinal),
            curve(connection, study.id, claim.trial_number),
            exclusive.required_exclusivity(connection, study.id, claim.ordinal),
        )
    )
    recorded = rows[-1].epoch if rows else 0
    return _proposal(context, claim, row, resume_epoch=resume, earlier=before, recorded=recorded, exclusive=needed)


def _proposal(context: SessionContext, claim: Claim, row: dict[str, Any] | RowMapping, **known: Any) -> Proposal:
    return Proposal(
        **{name: row[name] for name in ("number", "params", "baseline")},
        **{name: getattr(claim, name) for name in ("ordinal", "attempt", "token")},
        retries_left=context.study.spec.recovery.retries - claim.retries,
        **known,
    )
