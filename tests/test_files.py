"""Files and folders appear complete or not at all, under a name that nobody can prepare a trap for."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo import files
from tests.conftest import ROOT


class Refused(Exception):
    """The error that a block raises in these tests."""


def fail_after_writing(path: Path) -> None:
    with files.written_aside(path) as aside:
        aside.write_text("half")
        raise Refused


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_not_there_until_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    with files.written_aside(target) as aside:
        aside.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert names(tmp_path) == ["result.json"]


def test_a_writer_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    with pytest.raises(Refused):
        fail_after_writing(target)
    assert names(tmp_path) == []
    files.write_text(target, "before")
    with pytest.raises(Refused):
        fail_after_writing(target)
    assert names(tmp_path) == ["result.json"]
    assert target.read_text() == "before"


def test_no_name_is_used_twice_and_each_holds_64_random_bits(tmp_path: Path) -> None:
    seen = set()
    for _ in range(200):
        with files.scratch(tmp_path / "result.json") as aside:
            assert aside.parent == tmp_path
            seen.add(aside.name)
    assert len(seen) == 200
    assert all(len(name.split(".")[-2]) == 16 for name in seen)


def test_a_name_that_is_taken_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the name were guessed, a file or a link there would be left alone, and so would the link's target."""
    monkeypatch.setattr(os, "urandom", bytes)
    with files.scratch(tmp_path / "result.json") as guessed:
        pass
    victim = tmp_path / "victim"
    victim.write_text("precious")
    traps: list[Callable[[], object]] = [
        lambda: guessed.symlink_to(victim),
        lambda: guessed.symlink_to("nowhere"),
        guessed.touch,
    ]
    for trap in traps:
        trap()
        with pytest.raises(FileExistsError):
            files.write_text(tmp_path / "result.json", "mine")
        assert names(tmp_path) == sorted([guessed.name, "victim"])
        guessed.unlink()
    assert victim.read_text() == "precious"


def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "result.json"
    victim.write_text("precious")
    victim.chmod(0o640)
    target.symlink_to(victim)
    files.write_text(target, "mine")
    assert not target.is_symlink()
    assert (target.read_text(), victim.read_text()) == ("mine", "precious")


def test_a_file_that_replaces_another_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    before = os.umask(0o022)
    try:
        files.write_text(target, "new")
        assert stat.S_IMODE(target.stat().st_mode) == 0o644
        for mode in (0o600, 0o664, 0o444):
            target.chmod(mode)
            files.write_text(target, "again")
            assert stat.S_IMODE(target.stat().st_mode) == mode
    finally:
        os.umask(before)


def test_a_private_file_is_private_from_its_first_moment_even_over_an_open_one(tmp_path: Path) -> None:
    target = tmp_path / "password"
    target.touch(mode=0o644)
    with files.written_aside(target, mode=0o600) as aside:
        assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_scratch_file_is_gone_unless_it_was_moved(tmp_path: Path) -> None:
    with files.scratch(tmp_path / "fetched") as aside:
        aside.write_text("kept")
        aside.replace(tmp_path / "moved")
    with files.scratch(tmp_path / "fetched"):
        pass
    assert names(tmp_path) == ["moved"]


_BUSY = """
import sys
from pathlib import Path
from hpo import files
for _ in range(150):
    files.write_text(Path(sys.argv[1]), sys.argv[2] * 200_000)
"""


def test_two_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    files.write_text(target, "a" * 200_000)
    command = [sys.executable, "-c", _BUSY, str(target)]
    writers = [subprocess.Popen([*command, letter], cwd=ROOT) for letter in "ab"]
    while any(writer.poll() is None for writer in writers):
        found = target.read_text()
        assert (len(found), len(set(found))) == (200_000, 1)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert names(tmp_path) == ["result.json"]


_KILLED = """
import os, sys
from pathlib import Path
from hpo import files
with files.written_aside(Path(sys.argv[1])) as aside:
    aside.write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_left_goes_when_it_is_an_hour_old(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    subprocess.run([sys.executable, "-c", _KILLED, str(target)], cwd=ROOT, check=False)
    [left] = tmp_path.iterdir()
    files.write_text(target, "whole")
    assert left.exists(), "it may be of a process that lives"
    an_hour_ago = left.stat().st_mtime - 3601
    other = tmp_path / ".other.json.0123456789abcdef.tmp"
    other.touch()
    for file in (left, other):
        os.utime(file, (an_hour_ago, an_hour_ago))
    files.write_text(target, "whole")
    assert names(tmp_path) == [other.name, "result.json"]


def test_a_digest_is_that_of_the_content(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.touch()
    assert files.digest(file) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(FileNotFoundError):
        files.digest(tmp_path / "gone")


def test_a_folder_appears_whole_and_only_over_nothing_or_an_empty_one(tmp_path: Path) -> None:
    def make(target: Path) -> None:
        with files.folder_aside(target) as draft:
            (draft / "file").touch()
            assert not (target / "file").exists()

    (tmp_path / "empty").mkdir()
    for target in (tmp_path / "deep" / "new", tmp_path / "empty"):
        make(target)
        assert names(target) == ["file"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "theirs").touch()
    with pytest.raises(OSError, match="full"):
        make(tmp_path / "full")
    assert names(tmp_path / "full") == ["theirs"]
    assert names(tmp_path) == ["deep", "empty", "full"]
