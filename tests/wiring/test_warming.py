"""Results that a new study takes from earlier ones, and the text about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hpo.errors import UsageError
from hpo.study.database.storage import Storage
from hpo.study.studies import snapshot
from hpo.studyfile.space import Dimension, FloatRange, IntRange, Space
from hpo.wiring.warming import warm_start
from tests.searches import Search, judged
from tests.study.support import IDENTITY, study_spec


def later(**changes: Any) -> Any:
    spec = study_spec("later", trials=5, baseline=True, sampler="tpe", warm_start=("digits",))
    return replace(spec, **changes)


def test_the_confirmed_winner_is_enqueued_and_all_finished_trials_are_history(
    storage: Storage, searched: Search
) -> None:
    search = searched()
    winner: Any = judged(storage, search, "beats").params
    taken = warm_start(storage, later(), IDENTITY)
    assert taken.proposals == [winner]
    assert taken.history == {search.uuid: [0, 1, 2, 3, 4]}
    assert "it SAID" in taken.told[0]
    assert taken.told[1] == "digits: 5 finished trials taken as history, uncounted"


def test_without_a_confirmation_the_best_of_the_search_is_enqueued_and_called_so(
    storage: Storage, searched: Search
) -> None:
    best = max(snapshot.trials(storage, searched()), key=lambda row: row.value or 0.0)
    taken = warm_start(storage, later(baseline=False), IDENTITY)
    assert taken.proposals == [best.params]
    assert "unconfirmed" in taken.told[0]


def test_where_the_verdict_keeps_the_defaults_they_are_trained_once(storage: Storage, searched: Search) -> None:
    search = searched()
    judged(storage, search, "no difference")
    assert warm_start(storage, later(), IDENTITY).proposals == []  # trial 0 has these values already
    (proposal,) = warm_start(storage, later(baseline=False), IDENTITY).proposals
    (baseline,) = (row for row in snapshot.trials(storage, search) if row.baseline)
    assert proposal == baseline.params


def test_a_proposal_is_brought_into_the_new_space_and_takes_what_its_study_left_at_the_default(
    storage: Storage, searched: Search
) -> None:
    winner: Any = judged(storage, searched(), "beats").params
    space = Space(
        (
            Dimension("lr0", FloatRange(winner["lr0"] * 2, 1.0, log=True)),
            Dimension("batch", IntRange(winner["batch"], 64)),
            Dimension("momentum", FloatRange(0.5, 0.99)),
        )
    )
    taken = warm_start(storage, later(space=space), IDENTITY)
    low = winner["lr0"] * 2
    assert taken.proposals == [{"lr0": low, "batch": winner["batch"], "momentum": 0.937}]
    assert f"brought into the space: lr0 {winner['lr0']} to {low}" in taken.told[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": (("epochs", 20),)}, "train.epochs: stored 10, asked 20"),
        ({"space": Space((Dimension("lr0", FloatRange(1e-4, 0.2, log=True)),))}, "space.lr0: stored"),
    ],
)
def test_trials_of_another_question_are_no_history_and_why_is_said(
    storage: Storage, searched: Search, changes: dict[str, Any], said: str
) -> None:
    searched()
    taken = warm_start(storage, later(**changes), IDENTITY)
    assert len(taken.proposals) == 1
    assert taken.history == {}
    assert said in taken.told[1]


def test_nor_are_trials_on_other_data_or_from_another_model(storage: Storage, searched: Search) -> None:
    searched()
    data = warm_start(storage, later(), replace(IDENTITY, data_fingerprint="x" * 64))
    model = warm_start(storage, later(), replace(IDENTITY, model_sha256="x" * 64))
    assert [data.history, model.history] == [{}, {}]
    assert "data has other content" in data.told[1]
    assert "model has other content" in model.told[1]
    # a difference in paths does not count
    assert warm_start(storage, later(data="/elsewhere/data.yaml", model="/other/n.yaml"), IDENTITY).history


def test_the_same_settings_are_enqueued_once(storage: Storage, searched: Search) -> None:
    best = max(snapshot.trials(storage, searched()), key=lambda row: row.value or 0.0)
    spec = later(baseline=False)
    spec = replace(spec, search=replace(spec.search, enqueue=(tuple(sorted(best.params.items())),)))
    taken = warm_start(storage, spec, IDENTITY)
    assert taken.proposals == []
    assert "enqueued already" in taken.told[0]


def test_a_study_that_is_not_there_is_an_error_that_names_others(storage: Storage, searched: Search) -> None:
    searched()
    with pytest.raises(UsageError, match=r"warm_start: .*no study 'digit'; there is digits"):
        warm_start(storage, later(warm_start=("digit",)), IDENTITY)
