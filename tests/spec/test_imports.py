"""Checking a study costs a fraction of a second: nothing heavy is imported for it."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.spec.conftest import Studio

HEAVY = {"torch", "optuna", "mlflow", "ultralytics", "numpy", "pandas", "sqlalchemy", "click", "rich"}

PROGRAM = """
import json, sys
from pathlib import Path
from hpo.spec import json_schema, models, plan, rules, rungs, serialize
from hpo.spec.loader import load_file
spec = load_file(Path(sys.argv[1]))
plan.baseline(spec, nc=3, train_images=100)
rungs.pruner_options(spec)
models.facts(spec.model)
serialize.dump_yaml(spec)
json_schema.json_schema()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_loading_and_planning_a_study_imports_no_heavy_library(studio: Studio) -> None:
    command = [sys.executable, "-c", PROGRAM, str(studio.write())]
    loaded = set(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert not loaded & HEAVY
