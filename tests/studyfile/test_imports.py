"""Checking a study takes a fraction of a second: it imports no heavy library."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.studyfile.conftest import Studio

HEAVY = {"torch", "optuna", "mlflow", "ultralytics", "numpy", "pandas", "sqlalchemy", "click", "rich"}

PROGRAM = """
import json, sys
from pathlib import Path
from hpo.studyfile import json_schema, serialize
from hpo.studyfile.reading import models
from hpo.studyfile.planning import plan, rungs
from hpo.studyfile.checks import rules
from hpo.studyfile.loader import load_file
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
