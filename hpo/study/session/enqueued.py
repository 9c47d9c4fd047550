"""Trials that a person enqueued with Optuna's own call (``study.enqueue_trial``): WAITING, and of no claim of ours."""

from __future__ import annotations

from dataclasses import dataclass

from optuna.trial import FrozenTrial
from sqlalchemy import and_, select

from hpo.study.database import optuna_tables, tables
from hpo.study.optuna_internals.attributes import CLAIM, FIXED_PARAMS
from hpo.study.records import StudyRow
from hpo.study.search.sampling import distributions
from hpo.study.session.context import SessionContext
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.planning import grid
from hpo.studyfile.space import contains


@dataclass(frozen=True)
class Enqueued:
    trial_id: int
    trial: FrozenTrial


def lowest(context: SessionContext, ordinal: int) -> Enqueued | None:
    """Return the first enqueued trial, if ``ordinal`` may be one: after all values that the study file fixes."""
    study = context.study
    fixed = study.plan or SAMPLERS[study.spec.search.sampler.name].enumerates
    if fixed or ordinal < grid.given_first(study.spec) + len(study.facts.warm.proposals):
        return None
    theirs, ours, attributes = optuna_tables.trials, tables.trials, optuna_tables.user_attributes
    mine = and_(ours.c.study_id == theirs.c.study_id, ours.c.number == theirs.c.number)
    claimed = and_(attributes.c.trial_id == theirs.c.trial_id, attributes.c.key == CLAIM)
    joined = theirs.join(ours, mine, isouter=True).join(attributes, claimed, isouter=True)
    foreign = and_(ours.c.number.is_(None), attributes.c.trial_id.is_(None), optuna_tables.state == "WAITING")
    first = select(theirs.c.trial_id).select_from(joined).where(theirs.c.study_id == study.id, foreign)
    query = first.order_by(theirs.c.number).limit(1)
    found = context.storage.read(lambda connection: connection.execute(query).scalar_one_or_none())
    if found is None:
        return None
    return Enqueued(found, context.storage.call_optuna(lambda rdb: rdb.get_trial(found)))


def wrong(study: StudyRow, trial: FrozenTrial) -> str:
    """Describe why these values can't be tried; empty where they can."""
    searched = study.spec.searched
    known = distributions(searched)
    for name, value in {**trial.params, **trial.system_attrs.get(FIXED_PARAMS, {})}.items():
        dimension = searched.get(name)
        if dimension is None:
            return f"enqueued {name}: not in the space; it has {', '.join(searched.names)}"
        if not contains(dimension.domain, value) or trial.distributions.get(name, known[name]) != known[name]:
            return f"enqueued {name}={value!r}: outside the space ({dimension.domain}); enqueue a value inside"
    return ""
