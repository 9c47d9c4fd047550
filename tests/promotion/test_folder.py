"""The delivered folder appears complete or not at all, and never replaces other files."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hpo.errors import HpoError, UsageError
from hpo.promotion import exports, registering
from hpo.promotion.folder import aside, refuse_occupied
from hpo.promotion.measured import NAMES, TOLERANCE, differences, disagreements
from tests.conftest import ROOT


def test_what_is_there_already_is_refused(tmp_path: Path) -> None:
    refuse_occupied(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    refuse_occupied(tmp_path / "empty")
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "winner"
    for occupied, why in ((tmp_path, "is not empty"), (tmp_path / "file", "is a file"), (inside, "can be made in")):
        with pytest.raises(UsageError, match=why):
            refuse_occupied(occupied)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "winner"
    with aside(target) as draft:
        (draft / "best.pt").touch()
        assert not target.exists()
    assert [file.name for file in target.iterdir()] == ["best.pt"]
    assert list(target.parent.iterdir()) == [target]


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    target = tmp_path / "winner"
    code = f"from hpo.promotion.folder import aside; from pathlib import Path; made = aside(Path({str(target)!r}))"
    waits = f"{code}; made.__enter__(); print('made', flush=True); input()"
    killed = subprocess.Popen(
        [sys.executable, "-c", waits], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == "made\n"
    with aside(target) as draft:
        assert len(list(tmp_path.iterdir())) == 2, "that of a process which lives stays"
        killed.kill()
        killed.wait()
        (draft / "best.pt").touch()
    shutil.rmtree(target)
    with aside(target):
        assert len(list(tmp_path.iterdir())) == 1


def test_what_others_left_is_theirs(tmp_path: Path) -> None:
    """The drafts belong to a host with a longer name that begins like this one's, or to another target."""
    dead, host = 2**22 + 1, socket.gethostname()  # above the highest possible process id
    for name in (
        f".winner.partial-{dead}-{host}-0-abc",
        f".winner.partial-{dead}-x{host}-abc",
        f".win.partial-{dead}-{host}-a",
    ):
        (tmp_path / name).mkdir()
    (tmp_path / f".winner.partial-{dead}-{host}-abc").mkdir()
    with aside(tmp_path / "winner"):
        assert len(list(tmp_path.iterdir())) == 4


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with aside(tmp_path / "winner") as draft:
            (draft / "best.pt").touch()
            raise HpoError("the check")

    with pytest.raises(HpoError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_else_put_there_meanwhile_stays(tmp_path: Path) -> None:
    def be_late() -> None:
        with aside(tmp_path / "winner") as draft:
            (draft / "best.pt").touch()
            (tmp_path / "winner").mkdir()
            (tmp_path / "winner" / "theirs").touch()

    with pytest.raises(UsageError):
        be_late()
    assert [file.name for file in (tmp_path / "winner").iterdir()] == ["theirs"]


def test_numbers_that_differ_by_more_than_the_tolerance_are_listed() -> None:
    reported = {"test": dict.fromkeys(("objective", *NAMES), 0.5)}
    near = {"test": {**reported["test"], "map50": 0.5 + 0.9 * TOLERANCE}}
    assert differences(reported, near) == []
    far = {"test": {**reported["test"], "map50": 0.5 + 1.1 * TOLERANCE, "f1": float("nan")}}
    assert differences(reported, far) == [
        "test f1: reported 0.5000, measured nan",
        "test map50: reported 0.5000, measured 0.5055",
    ]


def test_an_export_may_miss_a_share_of_the_detections() -> None:
    found = {"onnx": {"val": {"detections": 200, "missing": 2}, "test": {"detections": 100, "missing": 2}}}
    assert disagreements(found, 0.01) == ["onnx on test: 2 of 100 detections are not those of best.pt"]
    assert disagreements({"onnx": {"val": {"detections": 0, "missing": 0}}}, 0.01) == []


def test_a_format_whose_packages_are_missing_is_refused_with_the_way_out() -> None:
    exports.refuse_what_is_missing(["onnx"])  # a development set-up has it
    with pytest.raises(UsageError, match=r"--export engine: tensorrt not installed; .*pip install"):
        exports.refuse_what_is_missing(["onnx", "engine"])


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "it's", "x" * 251])
def test_a_name_that_the_registry_would_refuse_is_refused_before(name: str) -> None:
    registering.check_name("cells v2")
    with pytest.raises(UsageError, match="--register"):
        registering.check_name(name)
