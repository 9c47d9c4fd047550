"""Pruners from a study's settings."""

from __future__ import annotations

from typing import Any

from optuna import pruners
from optuna.pruners import BasePruner

from hpo.study.optuna_internals import substitutes
from hpo.study.search.sampling import quiet_experiments
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import OptionValue
from hpo.studyfile.planning import rungs
from hpo.studyfile.schema import Method, StudySpec

CLASSES: dict[str, type[BasePruner]] = {
    "hyperband": pruners.HyperbandPruner,
    "sha": pruners.SuccessiveHalvingPruner,
    "median": pruners.MedianPruner,
    "percentile": pruners.PercentilePruner,
    "patient": pruners.PatientPruner,
    "threshold": pruners.ThresholdPruner,
    "none": pruners.NopPruner,
}
"""Pruners by the names of ``hpo.studyfile.methods.pruners``; a test compares them.

Where ``substitutes`` has a class of ours, that one is built.
"""


def build_pruner(spec: StudySpec) -> BasePruner:
    """Build the pruner. ``hpo.studyfile.planning.rungs`` derives options that the file leaves out from the epochs."""
    return _build(Method(spec.search.pruner.name, tuple(rungs.pruner_options(spec).items())))


def keeps_notes(pruner: Method) -> bool:
    """Return whether trials are compared by what their pruner has noted on them, and not by their values alone."""
    wrapped = (value for _, value in pruner.options if isinstance(value, Method))
    return PRUNERS[pruner.name].keeps_notes or any(keeps_notes(each) for each in wrapped)


def _build(method: Method) -> BasePruner:
    options = PRUNERS[method.name].options
    wrapping = {name for name, _ in method.options if options[name].value is OptionValue.PRUNER}
    arguments: dict[str, Any] = {name: value for name, value in method.options if name not in wrapping}
    for name, value in method.options:
        if name in wrapping:
            arguments[f"{name}_pruner"] = None if value is None else _build(value)
    pruner_class: type[Any] = substitutes.of(method.name) or CLASSES[method.name]
    with quiet_experiments():
        pruner: BasePruner = pruner_class(**arguments)
    return pruner
