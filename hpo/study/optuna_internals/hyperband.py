"""Optuna's Hyperband with brackets that a retry keeps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import optuna
from optuna.pruners import HyperbandPruner
from optuna.trial import FrozenTrial
from typing_extensions import override

from hpo.study.optuna_internals.attributes import ordinal_of

NEEDS = {HyperbandPruner: ("_get_bracket_id",)}
"""Optuna's private names that this module overrides (see ``substitutes``)."""


class OrdinalHyperband(HyperbandPruner):
    """Hyperband with brackets by the proposal's ordinal: a retry has another number, but keeps its bracket."""

    @override
    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        numbered: Any = SimpleNamespace(number=ordinal_of(trial))  # Optuna 5.0.0 reads only the number
        return super()._get_bracket_id(study, numbered)
