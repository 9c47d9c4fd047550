"""From a study file to `promote` on data as it is downloaded: it stays as it is, and every count is the same.

The commands run in this process, which may have loaded what they need already.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.api import process
from hpo.cli.main import answer
from tests.conftest import SMALLEST_MODEL
from tests.damaged import Damaged, damage, jpegs

pytestmark = pytest.mark.timeout(1800)
STUDY = """\
name: small
data: {data}
model: {model}
train: {{epochs: 1, imgsz: 32, batch: 8, optimizer: AdamW, warmup_epochs: 0, close_mosaic: 0, cache: disk}}
space: {{lr0: {{low: 1e-4, high: 3e-2, log: true}}}}
objective: map50
plots: none
search: {{sampler: random, pruner: none}}
budget: {{trials: 2}}
confirm: {{top: 1, seeds: 2}}
"""


@dataclass
class Told:
    """The data, and what each command said of it."""

    folder: Path
    damaged: Damaged
    before: str
    said: dict[str, str]

    def run(self, *words: str) -> str:
        """Run a command, which must end with exit code 0; return what it printed."""
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            code = answer(words)
        assert code == 0, out.getvalue()
        self.said[words[0]] = out.getvalue()
        return out.getvalue()

    def named(self, of: str, command: str) -> list[str]:
        """Return the words of the next ``command`` that the command ``of`` has named."""
        _, _, rest = self.said[of].partition(f"hpo {command}")
        assert rest, self.said[of]
        return shlex.split(command + rest.splitlines()[0])


@pytest.fixture(scope="module")
def told(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Run every command up to the verdict, on a read-only folder; one image of val is in train, too."""
    folder = tmp_path_factory.mktemp("damaged")
    jpegs(tiny, folder / "set")
    damaged = damage(folder / "set")
    shutil.copy(folder / "set" / "images" / "train" / "0006.jpg", folder / "set" / "images" / "val" / "seen.jpg")
    (folder / "small.yaml").write_text(STUDY.format(data=damaged.data, model=SMALLEST_MODEL))
    told = Told(folder, damaged, damaged.digest(), {})
    _chmod(damaged.root, 0o555)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HPO_HOME", str(folder / "runs"))
            patch.delenv("HPO_STORAGE", raising=False)
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            patch.chdir(folder)
            with process.kept(folder / "runs"):
                told.run("validate", "small.yaml")
                told.run(*told.named("validate", "run"))
                told.run("report", "small", "--output", "report.md")
                yield told
    finally:
        _chmod(damaged.root, 0o755)


def _chmod(root: Path, mode: int) -> None:
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(mode)


def counts(told: Told) -> tuple[dict[str, int], dict[str, int]]:
    """Return what a check counts of train and val, as JSON."""
    found: dict[str, Any] = json.loads(told.run("data", "check", str(told.damaged.data), "--json"))
    return found["splits"]["train"], found["splits"]["val"]


def unchanged(told: Told) -> None:
    """Nothing in the data's folder was written, renamed or added, and nobody is told to begin anew."""
    assert told.damaged.digest() == told.before
    assert not told.damaged.canary.exists()
    assert not any("delete" in said for said in told.said.values())


def test_the_data_stays_as_it_is_and_every_count_is_that_of_the_training_up_to_the_verdict(told: Told) -> None:
    """One test: two workers of pytest would run the commands twice."""
    unchanged(told)
    report, (train, val) = (told.folder / "report.md").read_text(), counts(told)
    assert (train["images"], val["images"]) == (14, 9)
    assert all(name in told.said["validate"] for name in (*told.damaged.truncated, *told.damaged.endless, "seen.jpg"))
    assert f"{train['images']} images, {train['boxes']} boxes" in told.said["validate"]
    assert f"on {train['images']} train images, {val['images']} val images" in told.said["run"]
    for split, found in (("train", train), ("val", val)):
        assert f"| {split} | {found['images']} | {found['background']} | {found['boxes']} |" in report
    assert read(told) == {16: (train["images"], train["boxes"]), 9: (val["images"], val["boxes"])}
    verdict = json.loads(told.run("confirm", "small", "--json"))
    assert (verdict["without_copies"]["copies"], verdict["without_copies"]["images"]) == (1, 8)
    assert verdict["without_copies"]["sentence"] in report
    assert "1 image is a copy of images that are known, 8 stay: " in told.run("confirm", "small")


def read(told: Told) -> dict[int, tuple[int, int]]:
    """Return images and boxes that trainings have used, by the number of files of the split."""
    used = {}
    for file in (told.folder / "runs" / "cache" / "labels").glob("*.npz"):
        with np.load(file) as arrays:
            facts = json.loads(arrays["facts"].tobytes())
            used[facts["results"][-1]] = (len(facts["files"]), len(arrays["boxes"]))
    return used


@pytest.mark.long
def test_the_winner_is_handed_over_and_the_study_goes_on(told: Told) -> None:
    told.run(*told.named("run", "promote"), "--no-register")
    told.run("run", "small.yaml")
    card = (told.folder / "final" / "model-card.md").read_text()
    for split, found in zip(("train", "val"), counts(told), strict=True):
        assert f"| {split} | {found['images']} | {found['background']} | {found['boxes']} |" in card
    assert "8 stay" in card
    unchanged(told)
