"""Two checkpoints with digests: which one a trial resumes from after a killed writer, a torn file or a foreign
folder.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo import files
from hpo.trial import checkpoints
from hpo.trial.checkpoints import Saved
from tests.conftest import ROOT

STEPS = ("written", "renamed", "described", "dropped")


def write(folder: Path, *epochs: int, owner: str = "me") -> None:
    for epoch in epochs:
        checkpoints.write(folder, epoch, owner, partial(_content, b"%d" % epoch * 1000))


def _content(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def test_the_newest_two_stay(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 3, 4)
    assert [saved.epoch for saved in checkpoints.found(tmp_path, "me")] == [4, 3]
    assert len(list(tmp_path.iterdir())) == 4


def damaged(saved: Saved, how: str) -> None:
    match how:
        case "torn":
            saved.path.write_bytes(saved.path.read_bytes()[:500])
        case "missing":
            saved.path.unlink()
        case "flipped":
            raw = bytearray(saved.path.read_bytes())
            raw[len(raw) // 2] ^= 1
            saved.path.write_bytes(raw)
        case "undescribed":
            saved.path.with_suffix(".json").write_text('{"epoch": 4')
        case _:
            raise ValueError(how)


@pytest.mark.parametrize("how", ["torn", "missing", "flipped", "undescribed"])
def test_a_damaged_one_is_passed_over_for_the_one_before(tmp_path: Path, how: str) -> None:
    write(tmp_path, 3, 4)
    damaged(checkpoints.found(tmp_path, "me")[0], how)
    newest = checkpoints.newest(tmp_path, "me")
    assert newest is not None
    assert newest.epoch == 3
    damaged(newest, how)
    assert checkpoints.newest(tmp_path, "me") is None


def test_what_another_study_left_in_a_folder_of_the_same_name_is_not_gone_on_from(tmp_path: Path) -> None:
    write(tmp_path, 9, owner="another")
    assert checkpoints.newest(tmp_path, "me") is None
    write(tmp_path, 1)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["checkpoint-00001.json", "checkpoint-00001.pt"]


@pytest.mark.parametrize("step", STEPS)
def test_a_writer_killed_at_any_step_leaves_a_whole_one(tmp_path: Path, step: str) -> None:
    """Epoch 3 is the newest once its description exists, epoch 2 before that; the next writer continues as usual."""
    write(tmp_path, 1, 2)
    code = (
        "import os, sys; from pathlib import Path; from hpo.trial import checkpoints\n"
        "die = lambda step: step == sys.argv[2] and os.kill(os.getpid(), 9)\n"
        "checkpoints.write(Path(sys.argv[1]), 3, 'me', lambda file: file.write(b'x' * 100000), die)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), step]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == -signal.SIGKILL
    newest = checkpoints.newest(tmp_path, "me")
    assert newest is not None
    assert newest.epoch == (3 if STEPS.index(step) >= STEPS.index("described") else 2)
    write(tmp_path, 3, 4)
    assert [saved.epoch for saved in checkpoints.found(tmp_path, "me")] == [4, 3]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".pt", ".pt"]


def test_a_fetched_file_is_a_checkpoint_like_any_other(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    write(there, 7, owner="dead")
    [left] = checkpoints.found(there, "dead")
    copy = here / "fetched.tmp"
    copy.write_bytes(left.path.read_bytes())
    checkpoints.adopt(copy, here, Saved(copy, 7, left.sha256, "me"))
    write(here, 8)
    assert [saved.epoch for saved in checkpoints.found(here, "me")] == [8, 7]
    assert all(saved.is_whole() for saved in checkpoints.found(here, "me"))
    write(here, 9)
    (here / "checkpoint-upload").mkdir()
    (here / "checkpoint.pt").touch()
    for half_written in ("checkpoint-00009.tmp", "checkpoint-fetched.tmp"):  # the name that older versions gave it
        (here / half_written).touch()
    for name in ("checkpoint-00009.pt", "checkpoint-fetched"):
        with files.scratch(here / name) as aside:
            killed = aside.rename(here / "killed")
        killed.rename(aside)  # as after a kill
    checkpoints.remove(here)
    assert list(here.iterdir()) == []


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_newest_whole_one_is_found_whatever_is_damaged(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("weights")
    epochs = sorted(data.draw(st.sets(st.integers(1, 60), min_size=1, max_size=5)))
    write(folder, *epochs)
    kept = checkpoints.found(folder, "me")
    ways = st.sampled_from([None, "torn", "missing", "flipped", "undescribed"])
    whole = []
    for saved in kept:
        how = data.draw(ways)
        if how is None:
            whole.append(saved.epoch)
        else:
            damaged(saved, how)
    newest = checkpoints.newest(folder, "me")
    assert (None if newest is None else newest.epoch) == max(whole, default=None)
