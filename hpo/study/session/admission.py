"""Admission: the choice of the trial that this worker may train next."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState
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
from hpo.study.optuna_internals.attributes import CLAIM, ORDINAL, REASON
from hpo.study.optuna_internals.history import Drawn
from hpo.study.records import Proposal
from hpo.study.session import enqueued, proposing, registry
from hpo.study.session.context import SessionContext
from hpo.study.session.enqueued import Enqueued
from hpo.study.studies.progress import progress, spent
from hpo.trial.vocabulary import Reason

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
    if claim.number is not None:
        return _readmit(context, claim)
    while (waiting := enqueued.lowest(context, claim.ordinal)) is not None:
        why = enqueued.wrong(context.study, waiting.trial)
        if why:
            if context.storage.write(partial(_refuse, context, claim, waiting, why)):
                return admit(context, baseline, token)  # the ordinal is spent
        elif (proposal := _propose_enqueued(context, claim, waiting)) is not None:
            return proposal
    return _propose_new(context, claim, baseline)


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
            registry.seen(connection, context)  # the hours count up to this moment
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


def _propose_enqueued(context: SessionContext, claim: Claim, waiting: Enqueued) -> Proposal | None:
    """Make a trial that waits in Optuna's tables the claim's; return None where another worker was quicker."""
    trial_id = waiting.trial_id
    values = proposing.complete(context, claim.ordinal, trial_id)
    row: dict[str, Any] = {
        "number": waiting.trial.number,
        "ordinal": claim.ordinal,
        "baseline": False,
        "params": values,
    }
    row |= {"study_id": context.study.id, **FRESH_TRIAL}
    drawn = context.history.take_drawn(trial_id)
    marks = {ORDINAL: claim.ordinal, CLAIM: claim.token}

    def action(connection: Connection) -> bool:
        if owned(connection, claim.token).number == waiting.trial.number:
            return True  # a repeated call after a lost acknowledgement
        if not optuna_rows.take_waiting(connection, trial_id, marks):
            return False
        _adopt(connection, claim.token, row, (trial_id, drawn))
        return True

    if context.storage.write(action):
        context.failpoint("adopted")
        return _proposal(context, claim, row, resume_epoch=0)
    context.history.forget(trial_id)
    return None


def _refuse(context: SessionContext, claim: Claim, waiting: Enqueued, why: str, connection: Connection) -> bool:
    """End an enqueued trial that can't be tried, as the claim's trial; return False where another was quicker."""
    trial_id = waiting.trial_id
    if claims.of_token(connection, claim.token) is None:
        return True  # a repeated call after a lost acknowledgement
    marks = {ORDINAL: claim.ordinal, CLAIM: claim.token, REASON: Reason.DATA.value, "detail": why}
    if not optuna_rows.take_waiting(connection, trial_id, marks):
        return False
    optuna_rows.finish(connection, trial_id, TrialState.FAIL, None)
    row = {"study_id": context.study.id, "number": waiting.trial.number, "ordinal": claim.ordinal, "baseline": False}
    ended = {"detail": why, "reason": Reason.DATA.value, "counts": True, "recorded_at": context.clock()}
    connection.execute(
        insert(tables.trials).values({**FRESH_TRIAL, **row, "params": dict(waiting.trial.params), **ended})
    )
    claims.release(connection, claim.token, number=waiting.trial.number, open=False)
    return True


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
            resume_point(connection, study, claim.ordinal, context.storage.here),
            earlier(connection, study, claim.ordinal, context.storage.here),
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
