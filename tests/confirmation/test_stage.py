"""The stage after a search: its plan; the search keeps its history, its budget and its best trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from hpo.confirmation import record, stage
from hpo.confirmation.groups import grouped
from hpo.errors import HpoError, StudyConflict, UsageError
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow, TrialRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, lifecycle, snapshot, verdicts
from hpo.studyfile.schema import Confirm
from hpo.trial.vocabulary import Reason, TrialState
from tests.searches import WITH_SPLITS, Search, verdict
from tests.study.support import (
    IDENTITY,
    Clock,
    admit,
    begin,
    ended,
    epoch_report,
    outlive,
    run,
    study_spec,
)


def confirmed(storage: Storage, study: StudyRow, values: dict[int, float] | None = None) -> list[TrialRow]:
    """Return the runs of a stage that is trained to its end; ``values`` are by ordinal."""
    with WorkerSession(storage, study, "w", None) as session:
        for proposal in iter(session.admit, None):
            begin(session, proposal)
            session.end(proposal.token, ended(value=(values or {}).get(proposal.ordinal, 0.5)))
    return snapshot.trials(storage, study)


def best_of(rows: list[TrialRow], count: int) -> list[int]:
    complete = [row for row in rows if row.state is TrialState.COMPLETE and not row.baseline]
    return [row.number for row in sorted(complete, key=lambda row: (-(row.value or 0.0), row.number))[:count]]


def test_the_best_trials_and_the_baseline_are_planned_each_with_seeds_of_their_own(
    storage: Storage, searched: Search
) -> None:
    search = searched(train=(("epochs", 10), ("seed", 7)))
    study = stage.begin(storage, search, Confirm(top=2, seeds=3))
    first, second = best_of(snapshot.trials(storage, search), 2)
    assert [run.of for run in study.plan] == [None, first, second] * 3
    seeds = [dict(run.train)["seed"] for run in study.plan]
    assert len(set(seeds)) == 9
    assert 7 not in seeds  # the seed of the search
    assert study.spec.search.pruner.name == "none"
    assert study.spec.budget.trials == 9
    trained = snapshot.trial(storage, search, first).train
    assert {**trained, "seed": seeds[1]} == dict(study.plan[1].train)
    assert lifecycle.load(storage, "digits.confirm") == study  # the database also keeps the plan


def test_a_stage_trains_what_is_planned_and_leaves_the_search_alone(storage: Storage, searched: Search) -> None:
    search = searched()
    before = (snapshot.trials(storage, search), snapshot.status(storage, search))
    ours = storage.call_optuna(lambda rdb: optuna.load_study(study_name="digits", storage=rdb))
    best = ours.best_trial
    study = stage.begin(storage, search, Confirm(top=2, seeds=2))
    rows = confirmed(storage, study, {4: 0.99})
    assert [row.params for row in rows] == [dict(run.params) for run in study.plan]
    assert [row.baseline for row in rows] == [True, False, False] * 2
    assert snapshot.status(storage, study).finished == "budget spent"
    assert (snapshot.trials(storage, search), snapshot.status(storage, search)) == before
    assert ours.best_trial == best
    assert lifecycle.names(storage) == ["digits"]
    theirs = storage.call_optuna(lambda rdb: optuna.load_study(study_name="digits.confirm", storage=rdb))
    assert len(theirs.trials) == 6


def test_a_stage_is_made_once(storage: Storage, searched: Search) -> None:
    search = searched()
    study = stage.begin(storage, search, Confirm(top=1, seeds=2))
    assert stage.begin(storage, search) == study
    assert stage.begin(storage, search, Confirm(top=1, seeds=2)) == study
    with pytest.raises(StudyConflict, match="seeds: stored 2, asked 5"):
        stage.begin(storage, search, Confirm(top=1, seeds=5))
    with pytest.raises(UsageError, match="hpo confirm digits"):
        stage.begin(storage, study)
    lifecycle.delete(storage, "digits.confirm")
    assert stage.begin(storage, search, Confirm(top=1, seeds=5)).spec.confirm == Confirm(1, 5)


def test_too_few_trials_are_all_confirmed(storage: Storage, searched: Search, caplog: pytest.LogCaptureFixture) -> None:
    study = stage.begin(storage, searched(trials=3), Confirm(top=3, seeds=2))
    assert len({run.of for run in study.plan}) == 3  # two trials and the baseline
    assert "has 2 complete trials to confirm, not 3" in caplog.text


def test_a_search_without_a_complete_trial_beside_the_baseline_has_nothing_to_confirm(
    storage: Storage, searched: Search
) -> None:
    with pytest.raises(UsageError, match="nothing to confirm") as refused:
        stage.begin(storage, searched(trials=1))
    assert refused.value.exit_code == 2
    assert lifecycle.confirmation(storage, "digits") is None


def test_without_a_baseline_in_the_search_the_stage_has_one(storage: Storage) -> None:
    search = lifecycle.create_or_join(storage, study_spec(trials=2), IDENTITY, WITH_SPLITS)
    with WorkerSession(storage, search, "w", None) as session:
        run(session)
    study = stage.begin(storage, search, Confirm(top=1, seeds=2))
    baseline = dict(study.plan[0].train)
    assert study.plan[0].baseline
    assert baseline["optimizer"] == "AdamW"  # what Ultralytics' `auto` would choose, written down
    assert baseline["epochs"] == 10


@pytest.mark.parametrize("death", ["given back", "killed"])
def test_an_interrupted_run_starts_again(storage: Storage, searched: Search, tmp_path: Path, death: str) -> None:
    clock = Clock()
    study = stage.begin(storage, searched(recovery=study_spec(lease_s=1).recovery), Confirm(top=1, seeds=2))
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.touch()
    dead = WorkerSession(storage, study, "dead", None, clock=clock)
    begun = admit(dead)
    begin(dead, begun, tmp_path)
    for epoch in (1, 2):
        dead.report(begun.token, epoch_report(epoch, 0.1))
    dead.checkpointed(begun.token, 2, str(checkpoint))
    if death == "given back":
        dead.give_back(begun.token, 2, str(checkpoint))
    with WorkerSession(storage, study, "next", None, clock=clock) as session:
        if death == "killed":
            outlive(session, clock)
        again = admit(session)
        assert (again.ordinal, again.attempt) == (begun.ordinal, 2)
        assert (again.resume_epoch, again.earlier) == (0, ())
        begin(session, again, tmp_path)
        session.report(again.token, epoch_report(1, 0.3))
        assert [row.objective for row in snapshot.epochs(storage, study, again.number)] == [0.3]


def test_a_confirmation_may_be_asked_for_after_the_search(storage: Storage, searched: Search) -> None:
    search = searched()
    later = replace(search.spec, confirm=Confirm(top=1, seeds=2))
    again = lifecycle.create_or_join(storage, later, IDENTITY, WITH_SPLITS)
    assert again.spec == later
    assert (again.id, lifecycle.load(storage, "digits")) == (search.id, again)
    assert stage.begin(storage, again).spec.confirm == Confirm(top=1, seeds=2)


def test_a_stage_goes_with_its_search_and_its_budget_is_its_plan(storage: Storage, searched: Search) -> None:
    search = searched()
    study = stage.begin(storage, search, Confirm(top=1, seeds=2))
    with pytest.raises(UsageError, match="it has its 4 runs"):
        controls.set_budget(storage, study, "me", trials=50, hours=None)
    lifecycle.delete(storage, "digits")
    assert lifecycle.confirmation(storage, "digits") is None


def test_looks_at_a_split_are_counted_over_all_studies_on_its_data(storage: Storage, searched: Search) -> None:
    one = stage.begin(storage, searched(name="one"), Confirm(top=1, seeds=2))
    other = stage.begin(storage, searched(name="other"), Confirm(top=1, seeds=2))
    looks = [
        record.look(storage, study, split, "me") for study, split in [(one, "test"), (one, "val"), (other, "test")]
    ]
    assert looks == [1, 1, 2]
    lifecycle.delete(storage, "one.confirm")  # a look can't be undone
    one = stage.begin(storage, lifecycle.load(storage, "one"), Confirm(top=1, seeds=2))
    assert record.look(storage, one, "test", "me") == 3
    assert verdicts.stored(storage, one) is None
    verdicts.keep(storage, one, "me", verdict("beats"))
    assert verdicts.stored(storage, one) == verdict("beats")
    assert verdicts.stored(storage, other) is None


def test_a_look_is_at_a_split_whatever_the_training_data_is(storage: Storage, searched: Search) -> None:
    """Other training images are no reason to count anew; an earlier state of the same study's data counts, too."""

    def on(name: str, data: str, test: str) -> StudyRow:
        row = searched(name=name)
        dataset = {**row.facts.dataset, "split_fingerprints": {"test": test}}
        change = {"before": row.identity.data_fingerprint, "after": data, "splits": {"test": "first"}, "files": []}
        lifecycle.set_data(storage, row, dataset, {**change, "at": "2026-01-02", "by": "me"}, "me")
        return stage.begin(storage, lifecycle.load(storage, name), Confirm(top=1, seeds=2))

    one, alike, other = on("one", "a" * 64, "same"), on("alike", "b" * 64, "same"), on("other", "c" * 64, "different")
    assert [record.look(storage, each, "test", "me") for each in (one, alike, other)] == [1, 2, 1]
    earlier = on("earlier", "e" * 64, "first")
    assert record.look(storage, earlier, "test", "me") == 4


def test_a_stored_verdict_is_read_without_the_data(storage: Storage, searched: Search) -> None:
    search = searched()
    assert stage.known_verdict(storage, search) is None
    begun = stage.begin(storage, search, Confirm(top=1, seeds=2))
    assert stage.known_verdict(storage, search) is None
    verdicts.keep(storage, begun, "me", verdict("beats"))
    assert stage.known_verdict(storage, search) == verdict("beats")
    with pytest.raises(StudyConflict, match="seeds: stored 2, asked 5"):
        stage.known_verdict(storage, search, Confirm(top=1, seeds=5))


def test_the_winner_is_the_candidate_of_the_largest_mean_on_val(storage: Storage, searched: Search) -> None:
    study = stage.begin(storage, searched(), Confirm(top=2, seeds=2))
    values = {0: 0.2, 3: 0.3, 1: 0.5, 4: 0.3, 2: 0.45, 5: 0.45}
    groups = grouped(study, confirmed(storage, study, values), _weights)
    assert all(weights == _weights(row) for row, weights in groups.baseline)
    assert [[row.value for row, _ in group] for group in groups.candidates] == [[0.5, 0.3], [0.45, 0.45]]
    assert [row.value for row, _ in groups.baseline] == [0.2, 0.3]
    assert groups.winner == 1
    assert groups.means == pytest.approx([0.4, 0.45])


def test_a_candidate_that_failed_with_a_seed_is_left_out_and_a_baseline_can_not_be(
    storage: Storage, searched: Search
) -> None:
    study = stage.begin(storage, searched(), Confirm(top=2, seeds=2))
    rows = confirmed(storage, study)
    diverged: dict[str, Any] = {"state": TrialState.PRUNED, "value": None, "reason": Reason.DIVERGED}
    groups = grouped(study, [replace(row, **diverged) if row.ordinal == 4 else row for row in rows], _weights)
    assert len(groups.candidates) == 1
    assert groups.left_out == {str(study.plan[1].of): "1 of 2 runs came to nothing (run 4: diverged)"}
    with pytest.raises(HpoError, match="the baseline can't be compared with"):
        grouped(study, [replace(row, **diverged) if row.ordinal == 0 else row for row in rows], _weights)
    with pytest.raises(HpoError, match="no candidate can be confirmed"):
        grouped(study, [row if row.baseline else replace(row, **diverged) for row in rows], _weights)


def _weights(row: TrialRow) -> Path:
    return Path(f"{row.number}.pt")
