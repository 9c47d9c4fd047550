"""From a study file to `promote` on data as it is downloaded: it stays as it is, and every count is the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import STUDY, Shell
from tests.damaged import Damaged, damage, jpegs

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]
ONCE = ("train.epochs=1", "train.warmup_epochs=0", "train.close_mosaic=0", "train.cache=disk", "budget.trials=1")


@dataclass(frozen=True)
class Told:
    """What each command said, and the data that it was about."""

    damaged: Damaged
    before: str
    shell: Shell
    said: dict[str, str]
    validated: dict[str, Any]


@pytest.fixture(scope="module")
def told(tiny: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Run every command on a read-only folder; each must end with exit code 0."""
    folder = tmp_path_factory.mktemp("damaged")
    jpegs(tiny, folder / "set")
    damaged = damage(folder / "set")
    before = damaged.digest()
    (folder / "small.yaml").write_text(STUDY.format(name="small", data=damaged.data, model=trained, more=""))
    shell = Shell(folder)
    _writable(damaged.root, mode=0o555)
    try:
        validated = shell.json("validate", "small.yaml", *ONCE)
        commands = {
            "validate": ("validate", "small.yaml", *ONCE),
            "run": ("run", "small.yaml", *ONCE),
            "again": ("run", "small.yaml", *ONCE),
            "report": ("report", "small", "--output", "report.md"),
            "promote": ("promote", "small", "--output", "final", "--no-register"),
        }
        said = {name: shell.run(*words) for name, words in commands.items()}
        yield Told(damaged, before, shell, said, validated)
    finally:
        _writable(damaged.root, mode=0o755)


def _writable(root: Path, *, mode: int) -> None:
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(mode)


def test_nothing_in_the_datas_folder_is_written_renamed_or_added(told: Told) -> None:
    assert told.damaged.digest() == told.before
    assert not told.damaged.canary.exists()
    assert not any("delete" in said for said in told.said.values())


def test_what_is_left_out_is_named_before_the_first_trial(told: Told) -> None:
    assert all(name in told.said["validate"] for name in (*told.damaged.truncated, *told.damaged.endless))


def test_every_count_is_that_of_the_training(told: Told) -> None:
    splits = told.validated["dataset"]["splits"]
    train, val = splits["train"], splits["val"]
    assert (train["images"], val["images"]) == (14, 8)
    row = f"| train | {train['images']} | {train['background']} | {train['boxes']} |"
    assert row in (told.shell.folder / "report.md").read_text()
    assert row in (told.shell.folder / "final" / "model-card.md").read_text()
    used = {}
    for file in (told.shell.home / "cache" / "labels").glob("*.npz"):
        with np.load(file) as arrays:
            facts = json.loads(arrays["facts"].tobytes())
            used[facts["results"][-1]] = (len(facts["files"]), len(arrays["boxes"]))
    assert used == {16: (train["images"], train["boxes"]), 8: (val["images"], val["boxes"])}
