"""If a private name of Optuna is missing, its public classes replace ours, with one warning."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from hpo.study.optuna_internals import substitutes

MODULES = sorted({"history", *(module for modules, _ in substitutes.CLASSES.values() for module in modules)})

PROPOSES = """
import logging
logging.basicConfig(format="%(message)s")
import optuna
from hpo.study.optuna_internals.ended_trials import EndedTrials
from hpo.study.search.sampling import build_sampler
from hpo.studyfile.schema import Method, Search
from tests.study.support import study_spec
study, ended = optuna.create_study(), EndedTrials()
spec = study_spec(search=Search(sampler=Method("tpe", (("n_startup_trials", 3),))))
for ordinal in range(8):
    study.sampler = build_sampler(spec, ordinal, ended)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
print(type(study.sampler).__name__, len(study.trials))
"""
PRUNES = """
import logging
logging.basicConfig(format="%(message)s")
import optuna
from optuna.trial import TrialState, create_trial
from hpo.study.search.pruning import build_pruner
from hpo.studyfile.schema import Method, Search
from tests.study.support import study_spec
options = {
    "hyperband": (("min_resource", 1), ("max_resource", 9)),
    "median": (("n_startup_trials", 1), ("n_warmup_steps", 0)),
}
study = optuna.create_study(direction="maximize")
pruners = [build_pruner(study_spec(search=Search(pruner=Method(NAME, options[NAME])))) for _ in range(3)]
for number in range(12):
    study.add_trial(create_trial(state=TrialState.COMPLETE, value=1.0, intermediate_values={1: 1.0, 2: 1.0},
        system_attrs={f"completed_rung_{rung}": 1.0 for rung in range(3)}))
bad = create_trial(state=TrialState.RUNNING, intermediate_values={1: 0.0, 2: 0.0})
study.add_trial(bad)
print(type(pruners[0]).__name__, pruners[0].prune(study, study.trials[-1]))
"""


def _under(names: str, program: str) -> tuple[str, list[str]]:
    """Return the program's output and warnings."""
    command = [sys.executable, "-m", "tests.study.optuna_internals.renaming", names, program]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip(), [line for line in done.stderr.splitlines() if "its own" in line]


@pytest.mark.parametrize("name", ["default_gamma", "_n_ei_candidates", "_unique_inverse_2d", "_mixture_distribution"])
def test_without_a_private_name_of_tpe_optunas_own_proposes_with_one_warning(name: str) -> None:
    said, warnings = _under(name, PROPOSES)
    assert said == "TPESampler 8"
    assert len(warnings) == 1
    assert name in warnings[0]


@pytest.mark.parametrize(
    ("name", "pruner", "expected"),
    [
        ("_is_first_in_interval_step", "median", "MedianPruner True"),
        ("_n_warmup_steps", "median", "MedianPruner True"),
        ("_get_bracket_id", "hyperband", "HyperbandPruner"),
    ],
)
def test_without_a_private_name_of_a_pruner_optunas_own_prunes_with_one_warning(
    name: str, pruner: str, expected: str
) -> None:
    said, warnings = _under(name, PRUNES.replace("NAME", repr(pruner)))
    assert said.startswith(expected)
    assert len(warnings) == 1
    assert name in warnings[0]


def test_with_the_locked_optuna_ours_are_used() -> None:
    assert all(substitutes.of(name) is not None for name in substitutes.CLASSES)
    assert substitutes.of("cmaes") is None


@pytest.mark.parametrize("module", MODULES)
def test_a_module_lists_every_private_attribute_that_it_uses(module: str) -> None:
    loaded = importlib.import_module(f"hpo.study.optuna_internals.{module}")
    tree = ast.parse(Path(str(loaded.__file__)).read_text())
    listed = {name for names in loaded.NEEDS.values() for name in names if name.startswith("_")}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    overridden = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any(hasattr(owner, node.name) for owner in loaded.NEEDS)
    }
    private = {name for name in used | overridden if name.startswith("_") and not name.startswith("__")}
    own = {
        name for cls in ast.walk(tree) if isinstance(cls, ast.ClassDef) for name in _made_in(cls) if name not in listed
    }
    assert private - own == listed


def _made_in(cls: ast.ClassDef) -> set[str]:
    """Return the methods of a class, and the attributes that its ``__init__`` assigns."""
    methods = [node for node in cls.body if isinstance(node, ast.FunctionDef)]
    assigned = {
        target.attr
        for method in methods
        if method.name == "__init__"
        for node in ast.walk(method)
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute)
    }
    return {method.name for method in methods} | assigned


ROWS = "import hpo.study.optuna_internals.history"


@pytest.mark.parametrize(
    "name", ["_CachedStorage", "_add_trials_to_cache", "TrialIntermediateValueModel", "stored_repr_to_value"]
)
def test_without_what_rows_are_read_with_hpo_says_so_in_words(name: str) -> None:
    program = (
        f"import sys\ntry:\n    {ROWS}\nexcept Exception as error:\n"
        "    print(type(error).__name__, error.exit_code, error)"
    )
    said, _ = _under(name, program)
    assert said.startswith("SchemaConflict 3 Optuna 5.")
    assert name in said
    assert "pip install 'optuna==" in said
