"""Choice of the trial to promote, and the arguments of the final training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.confirmation import stage
from hpo.errors import UsageError
from hpo.promotion.choice import choose, training_arguments
from hpo.study.database.storage import Storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle, snapshot
from hpo.studyfile.schema import Confirm, Final
from hpo.trial.operating_point import DEFAULT
from hpo.trial.vocabulary import Reason
from tests.searches import WITH_SPLITS, Search, judged
from tests.study.support import IDENTITY, admit, begin, ended, study_spec
from tests.support import swept


def test_without_a_confirmation_the_best_trial_is_taken_and_called_unconfirmed(
    storage: Storage, searched: Search
) -> None:
    search = searched()
    best = max(snapshot.trials(storage, search), key=lambda row: row.value or 0.0)
    choice = choose(storage, search, None)
    assert choice.row == best
    assert "unconfirmed" in choice.why
    assert choice.verdict is None


def test_the_confirmed_winner_is_taken_whatever_the_search_ranks_first(storage: Storage, searched: Search) -> None:
    search = searched()
    winner = judged(storage, search, "beats").number
    choice = choose(storage, search, None)
    assert choice.row.number == winner
    assert choice.why == f"the confirmed winner, trial {winner}: it SAID"


@pytest.mark.parametrize("claim", ["no difference", "worse"])
def test_where_the_verdict_keeps_the_defaults_the_baseline_is_taken(
    storage: Storage, searched: Search, claim: str
) -> None:
    search = searched()
    judged(storage, search, claim)
    choice = choose(storage, search, None)
    assert choice.row.baseline
    assert choice.why.startswith("the defaults (trial 0); ")
    assert choice.verdict is not None


def test_a_trial_that_is_asked_for_is_taken(storage: Storage, searched: Search) -> None:
    search = searched()
    judged(storage, search, "beats")
    assert choose(storage, search, 1).row.number == 1


def test_what_can_not_be_promoted_is_refused_with_the_best_ones_named(storage: Storage, searched: Search) -> None:
    search = searched(trials=2)
    with pytest.raises(UsageError, match="has trials 0 to 1; the best: ") as refused:
        choose(storage, search, 9)
    assert refused.value.exit_code == 2
    stages = stage.begin(storage, search, Confirm(top=1, seeds=2))
    with pytest.raises(UsageError, match="hpo promote digits"):
        choose(storage, stages, None)


def test_a_trial_without_a_result_is_refused_and_so_is_a_study_without_one(storage: Storage) -> None:
    study = lifecycle.create_or_join(storage, study_spec(trials=2), IDENTITY, WITH_SPLITS)
    with pytest.raises(UsageError, match="nothing to promote"):
        choose(storage, study, None)
    with WorkerSession(storage, study, "w", None) as session:
        for reason in (Reason.PRUNED, Reason.COMPLETE):
            proposal = admit(session)
            begin(session, proposal)
            session.end(proposal.token, ended(reason, value=0.5 if reason is Reason.COMPLETE else None))
    with pytest.raises(UsageError, match=r"--trial 0: is PRUNED \(pruned\); .* the best: 1"):
        choose(storage, study, 0)


def test_the_fixed_operating_point_is_what_the_sweep_had_proven(storage: Storage, searched: Search) -> None:
    choice = choose(storage, searched(), None)
    assert choice.row.recommended_point == DEFAULT
    found = swept()
    assert replace(choice.row, sweep=found).recommended_point == found.best.point


def test_other_epochs_move_what_is_tied_to_them(storage: Storage, searched: Search) -> None:
    search = searched(train=(("epochs", 10), ("seed", 7)))
    row = next(row for row in snapshot.trials(storage, search) if not row.baseline)
    assert training_arguments(search.spec, row) == row.train
    longer = replace(search.spec, final=Final(epochs=60))
    assert training_arguments(longer, row) == {**row.train, "epochs": 60, "close_mosaic": 6}
    named = replace(longer, train=(*longer.train, ("close_mosaic", 1)))
    assert training_arguments(named, row) == {**row.train, "epochs": 60}
