"""From a study's settings to a pruner."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import optuna
from optuna.pruners import BasePruner, HyperbandPruner
from optuna.trial import FrozenTrial
from typing_extensions import override

from hpo.spec import rungs
from hpo.spec.methods import PRUNERS
from hpo.spec.schema import Method, StudySpec
from hpo.study.history import ordinal_of
from hpo.study.sampling import quiet_experiments


class OrdinalHyperband(HyperbandPruner):
    """Hyperband whose brackets follow the proposal's ordinal: a retry, which has another number, keeps its bracket."""

    @override
    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        numbered: Any = SimpleNamespace(number=ordinal_of(trial))  # all that Optuna 5.0.0 reads of the trial
        return super()._get_bracket_id(study, numbered)


def build_pruner(spec: StudySpec) -> BasePruner:
    """With the options that ``hpo.spec.rungs`` derives from the epochs where the file names none."""
    return _build(spec.search.pruner.name, rungs.pruner_options(spec))


def _build(name: str, options: dict[str, Any]) -> BasePruner:
    match options.pop("wrapped", None):
        case Method(inner, inner_options):
            options["wrapped_pruner"] = _build(inner, dict(inner_options))
        case None if name == "patient":
            options["wrapped_pruner"] = None
    pruner_class: Any = OrdinalHyperband if name == "hyperband" else getattr(optuna.pruners, PRUNERS[name].optuna)
    with quiet_experiments():
        pruner: BasePruner = pruner_class(**options)
    return pruner
