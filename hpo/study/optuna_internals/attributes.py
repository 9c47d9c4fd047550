"""The attributes of Optuna's trials: ours (user attributes) and those of Optuna's samplers and pruners."""

from __future__ import annotations

from optuna.trial import FrozenTrial

ORDINAL = "ordinal"
BASELINE = "baseline"
OUTSIDE = "outside_space"
"""Mark of a baseline that the space can't hold: an ordinary trial for people, none for samplers."""
CLAIM = "claim"
"""Token of the claim for which the trial was created."""
RETRY_OF = "retry_of"
REASON = "reason"
FIXED_PARAMS = "fixed_params"
"""System attribute of Optuna 5.0: values that a trial takes without asking its sampler."""
COMPLETED_RUNG = "completed_rung_"
"""Prefix of the system attributes in which successive halving notes how far a trial has come (Optuna 5.0)."""


def ordinal_of(trial: FrozenTrial) -> int:
    """Return the position of the proposal, or the trial's number where another tool made the trial."""
    return int(trial.user_attrs.get(ORDINAL, trial.number))
