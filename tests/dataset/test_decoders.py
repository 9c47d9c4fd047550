"""Many images: each content is decoded once, in processes of their own where there are many."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import forkserver
from pathlib import Path

import pytest

from hpo.dataset import decoders
from hpo.dataset.decoders import decode_all
from hpo.dataset.decoding import Decoded, Mark
from hpo.errors import SpecError
from tests.conftest import ROOT
from tests.odd_images import MADE


def test_an_image_is_decoded_once_wherever_it_lies(images: Path, tmp_path: Path) -> None:
    file, moved = images / "turned.jpg", tmp_path / "moved.jpg"
    moved.write_bytes(file.read_bytes())
    seen: list[int] = []
    for path in (file, moved):
        found = decode_all({str(path): b"x" * 32}, tmp_path / "cache", lambda done, _: seen.append(done))
        assert found == {str(path): Decoded("", (Mark.ROTATED,))}
    assert seen == [1]


def test_many_images_are_decoded_in_processes(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "_FEW", 1)
    hashes = {str(images / name): name.encode() for name in MADE}
    told: list[tuple[int, int]] = []
    found = decode_all(hashes, None, lambda *each: told.append(each))
    assert found == {str(images / name): expected for name, (_, expected) in MADE.items()}
    assert told[-1] == (len(MADE), len(MADE))


SCRIPT = """\
from hpo.dataset import decoders
print("once")
decoders._FEW = 1
print(len(decoders.decode_all({paths!r}, None, lambda *_: None)))
"""


def test_a_script_that_decodes_in_processes_needs_no_guard(images: Path, tmp_path: Path) -> None:
    """``if __name__ == "__main__"`` is what multiprocessing would ask of a user's script that calls ``hpo.run``."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(paths={str(images / name): name.encode() for name in MADE}))
    done = subprocess.run(
        [sys.executable, script], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["once", str(len(MADE))]


def test_the_trials_keep_the_one_forkserver_of_the_process(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forkserver that something else had started would lack the trials' preload."""
    monkeypatch.setattr(decoders, "_FEW", 1)
    before = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    decode_all({str(images / name): name.encode() for name in MADE}, None, lambda _done, _images: None)
    assert forkserver._forkserver._forkserver_pid == before  # type: ignore[attr-defined]


def test_an_image_at_which_a_process_ends_is_named(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a library that decodes breaks down, whose process nobody can ask any more."""
    monkeypatch.setattr(decoders, "_FEW", 1)
    ends = (
        "import json, os, signal; print(json.dumps([str(), str()]), flush=True); os.kill(os.getpid(), signal.SIGSEGV)"
    )
    monkeypatch.setattr(decoders, "COMMAND", (sys.executable, "-c", ends))
    paths = [str(images / name) for name in MADE]
    with pytest.raises(SpecError, match=r"the process that decoded it ended with -11") as caught:
        decode_all({path: path.encode() for path in paths}, None, lambda _done, _images: None)
    assert caught.value.problems[0].file in paths
