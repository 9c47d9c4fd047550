"""What decoding finds of an image, and what follows for a dataset's counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.dataset.decoding import decode
from hpo.dataset.description import describe
from hpo.dataset.findings import Kind, check
from hpo.errors import SpecError
from tests import odd_images
from tests.damaged import damage, jpegs
from tests.odd_images import MADE


@pytest.mark.parametrize("name", MADE)
def test_what_is_unusual_about_an_image_is_found(images: Path, name: str) -> None:
    assert decode(str(images / name)) == MADE[name][1]


def test_images_that_are_left_out_count_nowhere_and_are_named(tiny: Path, tmp_path: Path) -> None:
    jpegs(tiny, tmp_path / "set")
    before = describe(tmp_path / "set" / "data.yaml", decode=True)
    damaged = damage(tmp_path / "set")
    after = describe(damaged.data, decode=True)
    assert after.splits["train"].images == before.splits["train"].images - 2
    assert after.splits["train"].boxes < before.splits["train"].boxes
    assert after.splits["val"] == before.splits["val"]
    assert [each.file for each in after.left_out] == [f"images/train/{name}" for name in damaged.truncated]


def test_the_fingerprint_is_of_all_images_whether_they_are_decoded_or_not(tiny: Path, tmp_path: Path) -> None:
    jpegs(tiny, tmp_path / "set")
    data = damage(tmp_path / "set").data
    assert describe(data, decode=True).fingerprint == describe(data).fingerprint


def test_an_image_that_would_stop_a_training_is_an_error(tiny: Path, tmp_path: Path) -> None:
    data = jpegs(tiny, tmp_path / "set")
    odd_images.cut(tmp_path / "set" / "images" / "train" / "short.bmp", 0.5, "BMP")
    with pytest.raises(SpecError, match=r"short\.bmp: .*a training would stop; save it anew"):
        describe(data, decode=True)


def test_a_split_of_images_that_are_all_broken_is_an_error(tiny: Path, tmp_path: Path) -> None:
    data = jpegs(tiny, tmp_path / "set", train=2)
    for image in (tmp_path / "set" / "images" / "train").iterdir():
        image.write_bytes(b"")
    with pytest.raises(SpecError, match="none of its 2 images can be read"):
        describe(data, decode=True)


def test_repeated_images_and_labels_are_found(tiny: Path, tmp_path: Path) -> None:
    data = jpegs(tiny, tmp_path / "set")
    root = tmp_path / "set"
    first, second, *_ = sorted((root / "images" / "train").iterdir())
    (root / "images" / "train" / "twice.jpg").write_bytes(first.read_bytes())
    (root / "images" / "val" / "seen.jpg").write_bytes(second.read_bytes())
    (root / "labels" / "train" / "twice.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n1 0.95 0.5 0.2 0.2\n")
    checked = check(data, tmp_path / "cache", lambda _done, _images: None)
    found = {(each.kind, each.split, each.file): each.detail for each in checked.findings}
    assert found == {
        (Kind.DUPLICATE, "train", "images/train/twice.jpg"): f"images/train/{first.name}",
        (Kind.LEAK, "val", "images/val/seen.jpg"): f"train: images/train/{second.name}",
        (Kind.REPEATED, "train", "images/train/twice.jpg"): "1 of its labels",
        (Kind.OUTSIDE, "train", "images/train/twice.jpg"): "1 of its labels",
    }
