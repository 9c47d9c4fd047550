"""The table of pruners. ``hpo.study.search.pruning`` has the class of each."""

from __future__ import annotations

from hpo.studyfile.methods.rows import (
    COUNT,
    FACTOR,
    FROM_1,
    RATE,
    SHARE,
    Every,
    Follows,
    Halving,
    Never,
    Option,
    OptionValue,
    PatientSchedule,
    PrunerRow,
)
from hpo.studyfile.schema import Method

_EPOCHS = {"n_warmup_steps": COUNT, "interval_steps": FROM_1}
_STARTUP = {"n_startup_trials": COUNT, "n_min_trials": FROM_1}
_WAITING = {"n_warmup_steps": Follows.FIRST, "interval_steps": 1}
_AFTER_FIVE = {"n_startup_trials": 5, "n_min_trials": 1}
_AT_INTERVALS = Every("n_warmup_steps", "interval_steps")

PRUNERS: dict[str, PrunerRow] = {
    "hyperband": PrunerRow(
        "HyperbandPruner",
        "successive halving in several brackets (Li et al. 2018)",
        {"min_resource": FROM_1, "max_resource": FROM_1, "reduction_factor": FACTOR, "bootstrap_count": COUNT},
        schedule=Halving(),
        defaults={"min_resource": Follows.FIRST, "max_resource": Follows.EPOCHS, "reduction_factor": 3},
        keeps_notes=True,
    ),
    "sha": PrunerRow(
        "SuccessiveHalvingPruner",
        "successive halving (Li et al. 2020)",
        {
            "min_resource": FROM_1,
            "reduction_factor": FACTOR,
            "min_early_stopping_rate": RATE,
            "bootstrap_count": COUNT,
        },
        schedule=Halving(),
        defaults={"min_resource": Follows.FIRST, "reduction_factor": 4, "min_early_stopping_rate": 0},
        keeps_notes=True,
    ),
    "median": PrunerRow(
        "MedianPruner",
        "stops what lies below the median of the others",
        {**_STARTUP, **_EPOCHS},
        schedule=_AT_INTERVALS,
        defaults={**_AFTER_FIVE, **_WAITING},
    ),
    "percentile": PrunerRow(
        "PercentilePruner",
        "stops what lies below a percentile of the others",
        {"percentile": Option(OptionValue.REAL, 0.0, 100.0), **_STARTUP, **_EPOCHS},
        ("percentile",),
        schedule=_AT_INTERVALS,
        defaults={**_AFTER_FIVE, **_WAITING},
    ),
    "patient": PrunerRow(
        "PatientPruner",
        "lets another pruner decide once a trial has not improved for some epochs",
        {"wrapped": Option(OptionValue.PRUNER), "patience": COUNT, "min_delta": Option(OptionValue.REAL, 0.0)},
        ("patience",),
        schedule=PatientSchedule(),
        defaults={"wrapped": Method("median"), "min_delta": 0.0},
    ),
    "threshold": PrunerRow(
        "ThresholdPruner",
        "stops what lies below a value",
        {"lower": SHARE, **_EPOCHS},
        ("lower",),
        {"upper": "would stop the best trials: every metric is better when larger; `lower` stops the hopeless ones"},
        schedule=_AT_INTERVALS,
        defaults=_WAITING,
    ),
    "none": PrunerRow("NopPruner", "stops no trial", schedule=Never()),
}
