"""TPE on columns proposes what Optuna's TPE proposes, digit by digit."""

from __future__ import annotations

import json
import math
import random
import warnings
from typing import Any, Literal

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.study.optuna_internals.ended_trials import EndedTrials
from hpo.study.optuna_internals.tpe import QuickTPE

SPACE: dict[str, BaseDistribution] = {
    "lr0": FloatDistribution(1e-5, 1e-1, log=True),
    "momentum": FloatDistribution(0.6, 0.98),
    "epochs": IntDistribution(10, 100, step=10),
    "optimizer": CategoricalDistribution(["SGD", "AdamW", "auto"]),
}
SOMETIMES: dict[str, BaseDistribution] = {"nesterov": FloatDistribution(0.0, 1.0)}


def _drawn(rng: random.Random) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    space = {**SPACE, **(SOMETIMES if rng.random() < 0.5 else {})}
    params = {
        "lr0": 10 ** rng.uniform(-5, -1),
        "momentum": rng.uniform(0.6, 0.98),
        "epochs": rng.randrange(10, 101, 10),
        "optimizer": rng.choice(["SGD", "AdamW", "auto"]),
        "nesterov": rng.random(),
    }
    return {name: params[name] for name in space}, space


def _trial(rng: random.Random) -> FrozenTrial:
    """Generate any kind of trial; values are coarse, so that some are equal."""
    params, distributions = _drawn(rng)
    kind = rng.choice(["complete"] * 4 + ["pruned"] * 3 + ["silent", "diverged", "failed", "running", "drawing"])
    state = {"complete": "COMPLETE", "failed": "FAIL", "running": "RUNNING", "drawing": "RUNNING"}.get(kind, "PRUNED")
    system: dict[str, Any] = {"constraints:failure": rng.choice([1.0, 2.0])} if kind == "diverged" else {}
    if kind == "drawing":  # another worker has drawn it and not stored it yet
        system = {"tpe:relative_params:0": json.dumps(params)}
        params, distributions = {}, {}
    values = [round(rng.random(), 1) for _ in range(rng.randint(1, 4))]
    if kind == "pruned" and rng.random() < 0.1:
        values[-1] = math.nan
    return create_trial(
        state=TrialState[state],
        value=round(rng.random(), 1) if kind == "complete" else None,
        params=params,
        distributions=distributions,
        system_attrs=system,
        intermediate_values={} if kind in ("silent", "drawing") else dict(enumerate(values, 1)),
    )


def _proposal(study: optuna.Study, sampler: TPESampler, storage_trials: int) -> dict[str, Any]:
    study.sampler = sampler
    trial = study.ask({**SPACE, **SOMETIMES})
    assert trial.number == storage_trials
    return trial.params


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"multivariate": False},
        {"group": True},
        {"constant_liar": False},
        {"n_ei_candidates": 5, "n_startup_trials": 3},
    ],
    ids=json.dumps,
)
def test_proposals_are_optunas(options: dict[str, Any], direction: Literal["maximize", "minimize"]) -> None:
    ended = EndedTrials()
    ours, theirs = (optuna.create_study(direction=direction) for _ in range(2))
    rng = random.Random(f"{options}{direction}")
    for number in range(40):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samplers = QuickTPE(ended=ended, seed=number, **options), TPESampler(seed=number, **options)
        proposals = [
            _proposal(study, sampler, 2 * number) for study, sampler in zip((ours, theirs), samplers, strict=True)
        ]
        assert proposals[0] == proposals[1], number
        trial = _trial(rng)
        for study in (ours, theirs):
            study.add_trial(trial)
            if number % 3:
                study.tell(2 * number, trial.value or 0.3)
            elif number % 2:
                study.tell(2 * number, state=TrialState.FAIL)


def test_what_ended_is_met_once() -> None:
    ended, study = EndedTrials(), optuna.create_study()
    for number in range(30):
        study.sampler = QuickTPE(ended=ended, seed=number, n_startup_trials=5)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert [trial.number for trial in ended.trials] == list(range(29))
    assert [len(known) for known in ended.values.values()] == [29]
