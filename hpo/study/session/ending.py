"""The end of an attempt: its outcome, told to Optuna in one transaction; then the retry; then the claim.

Every step may be repeated. A crash after any of them is repaired by running the remaining steps: the outcome's row says
which ones remain.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select, update

from hpo.study.claims import exclusive
from hpo.study.claims.claim import Claim, Unsettled
from hpo.study.claims.claims import owned, release
from hpo.study.claims.curve import curve, resume_point
from hpo.study.database import tables
from hpo.study.database.rows import of_trial
from hpo.study.optuna_internals import optuna_rows
from hpo.study.optuna_internals.attributes import CLAIM, COMPLETED_RUNG, REASON, RETRY_OF
from hpo.study.records import EpochRow
from hpo.study.session import blind, failing
from hpo.study.session.admission import FRESH_TRIAL
from hpo.study.session.context import SessionContext
from hpo.trial import vocabulary
from hpo.trial.messages import Ended
from hpo.trial.operating_point import DEFAULT
from hpo.trial.vocabulary import Reaction, Reason

_CONSTRAINT = "constraints:failure"
"""Attribute that ``Trial.set_constraint("failure", ...)`` writes; diverged and out-of-memory trials violate it."""


def end(context: SessionContext, token: str, ended: Ended) -> Reaction:
    """Record the end of an attempt. Raises ``ClaimLost``, and writes nothing, when another worker owns the attempt."""
    if ended.reason is Reason.GIVEN_BACK:
        return give_back(context, token, ended.epochs, None)
    ended = _finite(ended)
    reaction = context.storage.write(lambda connection: _record(context, connection, token, ended))
    context.failpoint("outcome")
    if not reaction.counts and reaction.state is not vocabulary.TrialState.WAITING:
        settle(context, token)
    return reaction


def give_back(context: SessionContext, token: str, epochs: int, checkpoint: str | None) -> Reaction:
    """Make the same trial wait for its next attempt. Only the worker that ends its own attempt may do this."""
    kept = {} if checkpoint is None else {"checkpoint_epoch": epochs, "checkpoint_path": checkpoint}

    def action(connection: Connection) -> None:
        claim = owned(connection, token)
        closed = {"ended_at": context.clock(), "reason": Reason.GIVEN_BACK.value, "detail": ""}
        connection.execute(update(tables.attempts).where(attempt_of(claim)).values(closed | kept))
        _wait_again(connection, claim, epochs)

    context.storage.write(action)
    context.failpoint("given_back")
    return vocabulary.reaction(Reason.GIVEN_BACK, retries_left=0)


def _wait_again(connection: Connection, claim: Claim, epochs: int) -> None:
    """Make the same trial wait for its next attempt.

    Optuna lets a RUNNING trial wait again, and its old handle can still write: this is safe only for one's own trial.
    """
    connection.execute(update(tables.trials).where(_trial(claim)).values(epochs=epochs))
    optuna_rows.set_waiting(connection, optuna_rows.trial_id(connection, claim.study_id, claim.trial_number))
    release(connection, claim.token)


def settle(context: SessionContext, token: str) -> None:
    """Do what follows from a recorded outcome: end the ordinal, or ask for its next trial."""
    claim, outcome = context.storage.read(lambda connection: _recorded(connection, token))
    if outcome.counts:
        context.storage.write(lambda connection: release(connection, token, open=False))
    else:
        _requeue(context, claim, outcome)
    context.failpoint("settled")


def _finite(ended: Ended) -> Ended:
    """Treat a result that is not finite as none: Optuna would take infinity as the best value of all."""
    if ended.reason is not Reason.COMPLETE or (ended.value is not None and math.isfinite(ended.value)):
        return ended
    detail = f"the objective of best.pt is {ended.value}, not a finite number"
    return replace(ended, reason=Reason.DIVERGED, detail=detail, value=None)


def _record(context: SessionContext, connection: Connection, token: str, ended: Ended) -> Reaction:
    claim = owned(connection, token)
    is_tried_exclusively = exclusive.is_tried_exclusively(connection, claim, ended)
    at = datetime.fromtimestamp(ended.recorded_at, UTC)
    closed = {"ended_at": at, "reason": ended.reason.value, "detail": ended.detail}
    connection.execute(update(tables.attempts).where(attempt_of(claim)).values(closed))
    if is_tried_exclusively:  # its process has ended, and no retry is used
        _wait_again(connection, claim, resume_point(connection, context.study, claim.ordinal, context.storage.here))
        return vocabulary.EXCLUSIVE
    retries_left = context.study.spec.recovery.retries - claim.retries
    match failing.judge(connection, claim, ended, retries_left=retries_left):
        case failing.Verdict.PAUSE:
            _wait_again(connection, claim, 0)
            failing.pause(connection, claim, ended.detail)
            return vocabulary.PAUSED
        case failing.Verdict.END:
            retries_left = 0
        case failing.Verdict.RETRY:
            pass
    reaction = vocabulary.reaction(ended.reason, retries_left=retries_left)
    outcome = {name: getattr(ended, name) for name in ("detail", "metrics", "epochs", "best_epoch")} | {
        "reason": ended.reason.value,
        "counts": reaction.counts,
        "value": ended.value if ended.reason is Reason.COMPLETE else None,
        "recorded_at": at,
    }
    if context.study.spec.is_swept:
        outcome |= _swept(ended)
    connection.execute(update(tables.trials).where(_trial(claim)).values(outcome))
    _tell(connection, claim, ended, reaction)
    if ended.reason is Reason.COMPLETE:
        blind.judge(context, connection)
    if reaction.counts:
        release(connection, token, open=False)
    return reaction


def _swept(ended: Ended) -> dict[str, Any]:
    """Return the columns of a swept trial: the setting that was found, and the whole result of the sweep.

    For the baseline, and where the sweep failed, the setting is the default that the trial was measured at.
    """
    if ended.reason is not Reason.COMPLETE:
        return {"operating_point": None, "sweep": None}
    return {"operating_point": ended.operating_point or DEFAULT, "sweep": ended.swept}


def _recorded(connection: Connection, token: str) -> tuple[Claim, Row[Any]]:
    claim = owned(connection, token, lock=False)
    return claim, connection.execute(select(tables.trials).where(_trial(claim))).one()


def _tell(connection: Connection, claim: Claim, ended: Ended, reaction: Reaction) -> None:
    """Tell Optuna in the transaction of the outcome. The sampler is not told: those we use learn from the database.

    A trial that was ended with other tools, or by an earlier call, stays as it is.
    """
    trial_id = optuna_rows.open_trial(connection, claim.study_id, claim.trial_number)
    if trial_id is None:
        return
    state = TrialState[reaction.state.value]
    value = ended.value if state is TrialState.COMPLETE else None
    if state is TrialState.PRUNED:
        rows = curve(connection, claim.study_id, claim.trial_number)
        finite = [row.objective for row in rows if math.isfinite(row.objective)]
        value = finite[-1] if finite else None  # Optuna's own `tell` gives a pruned trial its last reported value
    reason = {} if state is TrialState.COMPLETE else {REASON: ended.reason.value}
    optuna_rows.set_attributes(connection, trial_id, reason, {_CONSTRAINT: 1.0} if reaction.infeasible else {})
    optuna_rows.finish(connection, trial_id, state, value)


def _requeue(context: SessionContext, claim: Claim, outcome: Row[Any]) -> None:
    """Create a new trial of the same ordinal with the same values; the dead one's handle can write nothing into it."""
    trial_id = context.trial_id(outcome.number)
    dead = context.storage.call_optuna(lambda rdb: rdb.get_trial(trial_id))
    epoch, rows = context.storage.read(lambda connection: _taken_over(context, connection, claim))
    template = create_trial(
        state=TrialState.WAITING,
        params=dead.params,
        distributions=dead.distributions,
        user_attrs={key: value for key, value in dead.user_attrs.items() if key != REASON}
        | {RETRY_OF: dead.number, CLAIM: claim.token},
        system_attrs=_kept_attributes(dead, rows),
        intermediate_values={row.epoch: row.objective for row in rows if math.isfinite(row.objective)},
    )
    new_id = context.storage.call_optuna(lambda _rdb: context.history.create_new_trial(context.study.id, template))
    number = context.history.own(new_id).number
    context.history.forget(new_id)
    context.failpoint("retry_asked")
    kept = ("study_id", "ordinal", "baseline", "params", "train", "operating_point")
    retry = FRESH_TRIAL | {name: getattr(outcome, name) for name in kept} | {"number": number, "epochs": epoch}
    copies = [_copied(row, claim.study_id, number) for row in rows]

    def action(connection: Connection) -> None:
        owned(connection, claim.token)
        connection.execute(insert(tables.trials).values(retry))
        if copies:
            connection.execute(insert(tables.epochs), copies)
        release(connection, claim.token, number=number, retries=claim.retries + 1)

    context.storage.write(action)
    context.failpoint("requeued")


def _taken_over(context: SessionContext, connection: Connection, claim: Claim) -> tuple[int, list[EpochRow]]:
    """Return the checkpoint's epoch, and the dead trial's curve up to that epoch."""
    epoch = resume_point(connection, context.study, claim.ordinal, context.storage.here)
    return epoch, [row for row in curve(connection, claim.study_id, claim.trial_number) if row.epoch <= epoch]


def _kept_attributes(dead: FrozenTrial, rows: list[EpochRow]) -> dict[str, Any]:
    """Return what samplers keep on a trial, and the rungs of successive halving that the copied epochs had passed."""
    reached = {row.objective for row in rows}
    known = dead.system_attrs.items()
    return {key: value for key, value in known if not key.startswith(COMPLETED_RUNG) or value in reached}


def _copied(row: EpochRow, study_id: int, number: int) -> dict[str, Any]:
    objective = row.objective if math.isfinite(row.objective) else None
    return {**vars(row), "study_id": study_id, "number": number, "objective": objective}


def attempt_of(claim: Claim | Unsettled) -> ColumnElement[bool]:
    """Return the condition for the claim's newest attempt, if it began.

    Its token may differ from the claim's, where a dead worker's claim was taken over.
    """
    names = ("study_id", "ordinal", "attempt")
    return and_(*(tables.attempts.c[name] == getattr(claim, name) for name in names))


def _trial(claim: Claim) -> ColumnElement[bool]:
    return of_trial(tables.trials, claim.study_id, claim.trial_number)
