"""The source of a new ordinal's values, and the Optuna trial that holds them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState, create_trial

from hpo.study.optuna_internals.attributes import BASELINE, CLAIM, FIXED_PARAMS, ORDINAL, OUTSIDE
from hpo.study.records import StudyRow
from hpo.study.search.sampling import build_sampler, suggest
from hpo.study.session.context import SessionContext
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.planning import grid
from hpo.studyfile.space import Space, contains
from hpo.trial.vocabulary import Scalar

if TYPE_CHECKING:
    from hpo.studyfile.planning.plan import BaselinePlan

Params = dict[str, Scalar]


@dataclass(frozen=True)
class ProposalSource:
    """The part of a proposal that is fixed before a sampler is asked."""

    given: Params
    """Values that no sampler chooses."""
    baseline: bool = False
    outside: bool = False
    """Whether it is a baseline that the space can't hold."""


def source(study: StudyRow, baseline: BaselinePlan | None, ordinal: int) -> ProposalSource:
    """Return where the values of ``ordinal`` come from.

    With a plan it is a planned run. Otherwise the order is: the baseline, ``search.enqueue``, proposals of earlier
    studies, and then the grid's points or the sampler's choice.
    """
    spec = study.spec
    if study.plan:
        run = study.plan[ordinal]
        return ProposalSource(dict(run.params), baseline=run.baseline, outside=run.baseline)
    if ordinal == 0 and spec.baseline:
        if baseline is None:
            raise ValueError(f"study {spec.name}: the baseline's plan is needed to propose ordinal 0")
        return ProposalSource(dict(baseline.params), baseline=True, outside=not baseline.in_space)
    queue = [*map(dict, spec.search.enqueue), *study.facts.warm.proposals]
    queued = ordinal - int(spec.baseline)
    if queued < len(queue):
        return ProposalSource(queue[queued])
    if SAMPLERS[spec.search.sampler.name].enumerates:
        return ProposalSource(grid.points(spec)[ordinal - grid.given_first(spec)])
    return ProposalSource({})


def ask(context: SessionContext, ordinal: int, token: str, planned: ProposalSource) -> tuple[int, int, Params]:
    """Make a new RUNNING trial of Optuna's; return its id, its number and its values.

    The trial carries its ordinal and its claim's token from its first transaction on. Once the claim is lost, every
    worker can see that no worker will train it.
    """
    marks = {BASELINE: planned.baseline, OUTSIDE: planned.outside}
    template = create_trial(
        state=TrialState.RUNNING,
        user_attrs={ORDINAL: ordinal, CLAIM: token} | {mark: True for mark, holds in marks.items() if holds},
        system_attrs={FIXED_PARAMS: planned.given} if planned.given else {},
    )
    sampler = context.history.with_known_space(build_sampler(context.study.spec, ordinal, context.history.ended))
    study = context.search(sampler)
    call = context.storage.call_optuna
    trial_id = call(lambda _rdb: context.history.create_new_trial(context.study.id, template))
    context.failpoint("asked")
    trial = call(lambda _rdb: optuna.Trial(study, trial_id))
    searched = context.study.spec.searched
    space = _holding(searched, planned.given) if planned.outside else searched
    params = call(lambda _rdb: suggest(trial, space))
    return trial_id, trial.number, planned.given if planned.outside else params


def complete(context: SessionContext, ordinal: int, trial_id: int) -> Params:
    """Return the values of a trial that was enqueued; the sampler gives those that it lacks."""
    sampler = context.history.with_known_space(build_sampler(context.study.spec, ordinal, context.history.ended))
    study = context.search(sampler)
    context.history.borrow(trial_id)
    trial = context.storage.call_optuna(lambda _rdb: optuna.Trial(study, trial_id))
    return context.storage.call_optuna(lambda _rdb: suggest(trial, context.study.spec.searched))


def forget(context: SessionContext, trial_id: int) -> None:
    """Tell a trial FAIL that may no longer be trained because its claim was lost. It never counts."""
    context.history.forget(trial_id)
    with suppress(UpdateFinishedTrialError):  # another worker told it first
        context.storage.call_optuna(lambda _rdb: context.history.set_trial_state_values(trial_id, TrialState.FAIL))


def _holding(space: Space, given: Params) -> Space:
    """Return the dimensions that can hold the given values, without conditions. Optuna can store a baseline outside the
    space with them.
    """
    held = tuple(
        type(dimension)(dimension.name, dimension.domain)
        for dimension in space.dimensions
        if dimension.name in given and contains(dimension.domain, given[dimension.name])
    )
    return Space(held)
