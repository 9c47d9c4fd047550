"""From a study's settings to a pruner."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.pruners import BasePruner

from hpo.study.optuna_internals import substitutes
from hpo.study.search.sampling import quiet_experiments
from hpo.studyfile.planning import rungs
from hpo.studyfile.reading.methods import PRUNERS
from hpo.studyfile.schema import Method, StudySpec


def build_pruner(spec: StudySpec) -> BasePruner:
    """With the options that ``hpo.studyfile.planning.rungs`` derives from the epochs where the file names none."""
    return _build(spec.search.pruner.name, rungs.pruner_options(spec))


def keeps_notes(spec: StudySpec) -> bool:
    """Whether trials are compared by what their pruner has noted on them, and not by their values alone."""
    pruner: Any = spec.search.pruner
    while isinstance(pruner, Method) and pruner.name == "patient":
        pruner = dict(pruner.options).get("wrapped")
    return isinstance(pruner, Method) and pruner.name in ("hyperband", "sha")


def _build(name: str, options: dict[str, Any]) -> BasePruner:
    match options.pop("wrapped", None):
        case Method(inner, inner_options):
            options["wrapped_pruner"] = _build(inner, dict(inner_options))
        case None if name == "patient":
            options["wrapped_pruner"] = None
    pruner_class: Any = substitutes.of(name) or getattr(optuna.pruners, PRUNERS[name].optuna)
    with quiet_experiments():
        pruner: BasePruner = pruner_class(**options)
    return pruner
