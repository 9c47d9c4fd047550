"""The demo set: equal bytes every time, splits from different scans, labels that fit the ink."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpo.dataset import digits
from hpo.dataset.description import describe
from hpo.errors import UsageError


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo set."""
    return digits.make(tmp_path_factory.mktemp("demo") / "digits").parent


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.long
def test_another_process_makes_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    code = f"from pathlib import Path; from hpo.dataset.digits import make; make(Path({str(tmp_path / 'again')!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert contents(tmp_path / "again") == contents(demo)


def test_the_set_has_four_classes_three_splits_and_background(demo: Path) -> None:
    summary = describe(demo / "data.yaml")
    assert summary.nc == 4
    assert list(summary.splits) == ["train", "val", "test"]
    for split in summary.splits.values():
        assert split.background >= 1
        assert split.boxes >= 2 * split.labelled


def test_every_class_occurs_in_every_split(demo: Path) -> None:
    for split in ("train", "val", "test"):
        rows = "".join(file.read_text() for file in (demo / "labels" / split).iterdir()).splitlines()
        classes = {int(row.split()[0]) for row in rows}
        assert classes == {0, 1, 2, 3}


def test_splits_share_no_scan() -> None:
    seen: set[bytes] = set()
    for scans in digits._load().values():
        own = {scan.tobytes() for by_digit in scans.values() for scan in by_digit}
        assert not own & seen
        seen |= own


def test_boxes_hold_ink(demo: Path) -> None:
    """Digits are darker than the paper around them."""
    for label in sorted((demo / "labels/val").iterdir()):
        pixels = np.asarray(Image.open(demo / "images/val" / f"{label.stem}.png").convert("L"), dtype=float)
        for row in label.read_text().splitlines():
            x, y, width, height = (float(value) * 96 for value in row.split()[1:])
            box = pixels[round(y - height / 2) : round(y + height / 2), round(x - width / 2) : round(x + width / 2)]
            assert box.size
            assert box.min() < np.median(pixels) - 50


def test_a_set_that_is_there_is_left_alone(demo: Path) -> None:
    picture = demo / "images/test/0000.png"
    before = picture.stat().st_mtime_ns
    assert digits.make(demo) == demo / "data.yaml"
    assert picture.stat().st_mtime_ns == before


def test_a_folder_that_holds_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(UsageError, match="mine"):
        digits.make(folder)
    assert [file.name for file in tmp_path.rglob("*")] == ["mine", "precious.txt"]
