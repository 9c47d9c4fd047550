"""The command as a user runs it: in a separate process and a separate folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MODEL_THAT_LEARNS, ROOT
from tests.shared import copy_of, made_once

HPO = [sys.executable, "-m", "hpo"]
LONGEST_S = 900
"""Seconds after which a command counts as hanging: a machine may be many times slower than the authors' one."""
PLACES = {
    "hpo.db": (("hpo_attempts", "folder"), ("hpo_attempts", "checkpoint_path")),
    "mlflow.db": (("runs", "artifact_uri"), ("experiments", "artifact_location")),
}
"""Columns that hold absolute paths."""
STUDY = """\
name: {name}
data: {data}
model: {model}
train: {{epochs: 3, imgsz: 64, batch: 4, optimizer: AdamW, warmup_epochs: 1, close_mosaic: 1}}
space:
  lr0: {{low: 1e-4, high: 3e-2, log: true}}
  mosaic: {{low: 0, high: 1}}
objective: map50
plots: none
search: {{seed: 3, sampler: {{name: tpe, n_startup_trials: 2}}, pruner: none}}
budget: {{trials: 4}}
baseline: {{train: {{optimizer: AdamW, nbs: 4, warmup_epochs: 1, close_mosaic: 1}}}}  # plain, it learns nothing
{more}"""


def with_test_split(folder: Path, tiny: Path, scenes: Path) -> Path:
    """Return the data.yaml of the tiny dataset with a test split of 16 scenes that no other split has."""
    data = copy_of(tiny, folder)
    for image in sorted((scenes.parent / "images" / "test").iterdir())[:16]:
        label = scenes.parent / "labels" / "test" / f"{image.stem}.txt"
        for file, kind in ((image, "images"), (label, "labels")):
            if file.exists():
                (folder / kind / "test").mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, folder / kind / "test" / file.name)
    data.write_text(f"{data.read_text()}test: images/test\n")
    return data


@dataclass
class Shell:
    """A user's shell in ``folder``; all written files are below it."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "runs"

    @property
    def environment(self) -> dict[str, str]:
        own = {"HPO_STORAGE", "MLFLOW_TRACKING_URI", "HPO_HOME"}
        kept = {name: value for name, value in os.environ.items() if name not in own}
        return kept | {"PYTHONPATH": str(ROOT)} | self.variables

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        command = [*HPO, *map(str, words)]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str | Path, code: int = 0) -> str:
        """Return the command's stdout, and its stderr if it fails; its exit code must be ``code``."""
        process = self.start(*words)
        out, err = process.communicate(timeout=LONGEST_S)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return out if code == 0 else out + err

    def json(self, *words: str | Path) -> Any:
        return json.loads(self.run(*words, "--json"))

    def run_until(self, line: str, *words: str | Path) -> subprocess.Popen[str]:
        """Return the running command after it has printed a line that contains ``line``."""
        process = self.start(*words)
        assert process.stdout is not None
        for printed in process.stdout:
            if line in printed:
                return process
        raise AssertionError(
            f"ended with {process.wait()} before it said {line!r}: {process.stderr and process.stderr.read()}"
        )

    def end(self, process: subprocess.Popen[str], *signals: signal.Signals) -> int:
        for each in signals:
            process.send_signal(each)
        process.communicate(timeout=LONGEST_S)
        return process.returncode


@dataclass(frozen=True)
class Done:
    """The small study, run to its end without a stop, in the test's own folder."""

    shell: Shell
    file: Path
    said: str
    left: set[str]
    """Files in the shell's folder after the run."""
    trials: list[dict[str, Any]]


@pytest.fixture(scope="session")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the small study, run without a stop: four trainings; tests copy it."""

    def make(folder: Path) -> None:
        shell = Shell(folder / "ran")
        shell.folder.mkdir()
        file = shell.folder / "small.yaml"
        file.write_text(STUDY.format(name="small", data=tiny, model=MODEL_THAT_LEARNS, more="keep: {weights: 1}\n"))
        said = shell.run("run", file)
        left = sorted(path.name for path in shell.folder.iterdir())
        (folder / "told.json").write_text(json.dumps([said, left, shell.json("trials")]))

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture
def done(finished: Path, tmp_path: Path) -> Done:
    shell = Shell(tmp_path / "done")
    shutil.copytree(finished / "ran", shell.folder)
    for database, columns in PLACES.items():
        with closing(sqlite3.connect(shell.home / database)) as store, store:
            for table, column in columns:
                sql = f"update {table} set {column} = replace({column}, ?, ?)"  # noqa: S608
                store.execute(sql, (str(finished / "ran"), str(shell.folder)))
    told = (finished / "told.json").read_text().replace(str(finished / "ran"), str(shell.folder))
    said, left, trials = json.loads(told)
    return Done(shell, shell.folder / "small.yaml", said, set(left), trials)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def study(tiny: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a study file; ``more`` is appended."""

    def write(name: str = "small", more: str = "") -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(STUDY.format(name=name, data=tiny, model=MODEL_THAT_LEARNS, more=more))
        return path

    return write
