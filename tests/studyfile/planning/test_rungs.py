"""Epochs at which a trial may be stopped, compared with Optuna's own pruners."""

from __future__ import annotations

import json

import optuna
import pytest

from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import Every, Halving
from hpo.studyfile.planning import rungs
from hpo.studyfile.planning.plan import search_args
from hpo.studyfile.schema import StudySpec
from tests.studyfile.conftest import Studio
from tests.studyfile.examples import required_of

DECIDING = [
    json.dumps({"name": name, **required_of(row)})
    for name, row in PRUNERS.items()
    if isinstance(row.schedule, Halving | Every)
]


@pytest.mark.parametrize("pruner", [*DECIDING, "{name: patient, patience: 1}"])
@pytest.mark.parametrize("epochs", [5, 8, 10, 14, 20, 33, 100, 300])
def test_no_decision_falls_in_warm_up_or_before_epoch_4_or_a_third_or_where_mosaic_closes(
    studio: Studio, pruner: str, epochs: int
) -> None:
    spec = studio.load(f"search.pruner={pruner}", f"train.epochs={epochs}")
    found = rungs.plan(spec)
    assert found.first is not None
    assert found.first > 3
    assert found.first >= 4
    assert found.first >= 0.3 * epochs
    assert found.rungs
    assert min(found.rungs) >= found.first
    closes = epochs - search_args(spec, {})["close_mosaic"] + 1
    assert {closes, closes + 1, epochs} & set(range(1, epochs + 1)) == found.silent
    assert not found.silent & set(found.rungs)
    assert max(found.rungs) < epochs


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("train.warmup_epochs=6", 7),
        ("train.warmup_epochs=6.5", 7),
        ("space.warmup_epochs=[1, 9]", 10),
        ("space.warmup_epochs={choices: [1, 8]}", 9),
        ("space.warmup_epochs=0", 6),
        ("train.seed=0", 6),
    ],
)
def test_the_first_decision_lies_after_the_longest_warm_up(studio: Studio, change: str, first: int) -> None:
    assert rungs.plan(studio.load(change)).first == first


def test_rungs_of_halving_move_past_the_epochs_where_curves_jump(studio: Studio) -> None:
    spec = studio.load("search.pruner=hyperband", "train.close_mosaic=3")  # closes at 18, rungs 6 and 18
    found = rungs.plan(spec)
    assert found.silent == {18, 19, 20}
    assert found.rungs == (6,)
    assert rungs.plan(studio.load("search.pruner=hyperband", "train.close_mosaic=15")).rungs == (
        8,
        18,
    )  # 6, 7 are silent
    assert rungs.plan(studio.load("train.mosaic=0", "train.close_mosaic=3")).silent == {20}
    assert rungs.plan(studio.load("train.close_mosaic=0")).silent == {20}


def test_a_step_of_an_interval_that_falls_on_a_silent_epoch_is_left_out(studio: Studio) -> None:
    spec = studio.load("search.pruner={name: median, n_warmup_steps: 4, interval_steps: 5}")  # mosaic closes at 19
    assert rungs.plan(spec).rungs == (4, 9, 14)


def test_a_trial_with_its_own_close_mosaic_leaves_out_its_own_epochs(studio: Studio) -> None:
    spec = studio.load("search.pruner=median", "space.close_mosaic=[0, 9]")
    assert rungs.plan(spec).silent == {20}
    own = rungs.plan(spec, search_args(spec, {"lr0": 0.1, "close_mosaic": 9}))
    assert own.silent == {12, 13, 20}
    assert not own.silent & set(own.rungs)


def test_a_training_too_short_to_stop_has_no_rungs(studio: Studio) -> None:
    for epochs in (1, 2, 3, 4):
        found = rungs.plan(studio.load(f"train.epochs={epochs}"))
        assert (found.first, found.rungs) == (None, ())
    assert rungs.plan(studio.load("search.pruner=none")).first is None


@pytest.mark.parametrize(
    ("pruner", "found"),
    [
        ("{name: hyperband, min_resource: 2}", (2, 6, 18)),
        ("{name: hyperband, min_resource: 2, reduction_factor: 2}", (2, 4, 8, 16)),
        ("{name: sha, min_resource: 2, min_early_stopping_rate: 1}", (8,)),
        ("{name: median, n_warmup_steps: 2, interval_steps: 5}", (2, 7, 12, 17)),
        ("{name: median, n_warmup_steps: 4, interval_steps: 5}", (4, 9, 14, 19)),
        ("{name: threshold, lower: 0.1, n_warmup_steps: 0, interval_steps: 6}", (6, 12, 18)),
        ("{name: patient, patience: 12, wrapped: none}", (14, 15, 16, 17, 18, 19)),
        ("{name: patient, patience: 1, wrapped: {name: median, n_warmup_steps: 17}}", (17, 18, 19)),
    ],
)
def test_explicit_options_override(studio: Studio, pruner: str, found: tuple[int, ...]) -> None:
    spec = studio.load(f"search.pruner={pruner}", "train.close_mosaic=1")
    assert rungs.plan(spec).silent == {20}
    assert rungs.plan(spec).rungs == found


def _decisions(spec: StudySpec, silent: frozenset[int]) -> set[int]:
    """Return the epochs at which Optuna's own pruner stops a hopeless trial, if it decides at every epoch that is not
    silent.
    """
    pruner = _pruner(spec)
    study = optuna.create_study(direction="maximize", pruner=pruner, study_name="s")
    stopped: set[int] = set()
    for number in range(60):
        trial = study.ask()
        for epoch in range(1, spec.epochs + 1):
            trial.report(1.0 - 0.01 * number if number < 8 or epoch >= number % spec.epochs else -1.0, epoch)
            if epoch not in silent and trial.should_prune():
                stopped.add(epoch)
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, 1.0 - 0.01 * number)
    return stopped


def _pruner(spec: StudySpec) -> optuna.pruners.BasePruner:
    options = rungs.pruner_options(spec)
    known = getattr(optuna.pruners, PRUNERS[spec.search.pruner.name].optuna)
    pruner: optuna.pruners.BasePruner = known(**options)
    return pruner


@pytest.mark.parametrize("pruner", [*DECIDING, "{name: median, interval_steps: 4}", "{name: sha, reduction_factor: 2}"])
@pytest.mark.parametrize("epochs", [8, 20, 30])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optuna_decides_at_the_planned_epochs_and_at_no_other(studio: Studio, pruner: str, epochs: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spec = studio.load(f"search.pruner={pruner}", f"train.epochs={epochs}")
    planned = rungs.plan(spec)
    decided = _decisions(spec, planned.silent)
    assert decided
    assert decided <= set(planned.rungs)
    assert min(decided) == planned.rungs[0]
