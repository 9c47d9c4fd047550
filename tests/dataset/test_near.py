"""Near copies: the same picture in other bytes, in a split that must not know it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from hpo.dataset.decoding import SMALL_PX, decode
from hpo.dataset.findings import Kind, check
from hpo.dataset.near import Pictures
from tests.damaged import jpegs

COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved anew": lambda image: image,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "cropped": lambda image: image.crop((3, 3, image.width - 3, image.height - 3)),
    "cut off at one side": lambda image: image.crop((0, 0, int(image.width * 0.96), image.height)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "grey": ImageOps.grayscale,
}


def _quiet(_done: int, _images: int) -> None:
    return


def _pictures(*files: Path) -> Pictures:
    return Pictures.of([decode(str(file)).small for file in files], SMALL_PX)


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_in_other_bytes_is_a_near_copy_of_its_image_alone(name: str, tiny: Path, tmp_path: Path) -> None:
    images = sorted((tiny.parent / "images" / "train").iterdir())[:12]
    for image in images:
        with Image.open(image) as opened:
            COPIES[name](opened.convert("RGB")).save(tmp_path / f"{image.stem}.jpg", quality=60)
    copies = _pictures(*(tmp_path / f"{image.stem}.jpg" for image in images))
    assert list(copies.copies(_pictures(*images))) == [(index, index) for index in range(len(images))]


def test_different_scenes_are_no_copies(tiny: Path) -> None:
    checked = check(tiny, None, _quiet)
    assert [each for each in checked.findings if each.kind in (Kind.NEAR_LEAK, Kind.NEAR_COPY)] == []


def test_a_near_copy_is_found_whatever_the_number_of_images() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, SMALL_PX, SMALL_PX), dtype=np.uint8)
    found = Pictures.of([each.tobytes() for each in pixels], SMALL_PX)
    again = Pictures.of([b"", *(each.tobytes() for each in pixels[[590, 3]])], SMALL_PX)
    assert list(again.copies(found)) == [(1, 590), (2, 3)]
    assert list(found.copies(found, earlier=True)) == []


def test_pictures_that_show_nothing_are_not_compared() -> None:
    plain = [bytes([value]) * SMALL_PX**2 for value in (0, 128, 255)]
    assert len(Pictures.of([*plain, b""], SMALL_PX).indices) == 0


def test_near_copies_are_told_with_both_files_also_from_the_cache(tiny: Path, tmp_path: Path) -> None:
    data, root = jpegs(tiny, tmp_path / "set"), tmp_path / "set" / "images"
    first, second, *_ = sorted((root / "train").iterdir())
    own = min((root / "val").iterdir())
    for image, copy in (
        (first, root / "val" / "seen.jpg"),
        (second, root / "train" / "zz.jpg"),
        (own, own.with_name("zz.jpg")),
    ):
        with Image.open(image) as opened:
            opened.save(copy, quality=40)
    for _ in range(2):
        checked = check(data, tmp_path / "cache", _quiet)
        assert {(each.kind, each.split, each.file): each.detail for each in checked.findings} == {
            (Kind.NEAR_LEAK, "val", "images/val/seen.jpg"): f"train: images/train/{first.name}",
            (Kind.NEAR_COPY, "val", "images/val/zz.jpg"): f"images/val/{own.name}",
        }


def test_an_image_that_is_left_out_is_no_copy(tiny: Path, tmp_path: Path) -> None:
    data = jpegs(tiny, tmp_path / "set")
    for split in ("train", "val"):
        (tmp_path / "set" / "images" / split / "empty.jpg").write_bytes(b"")
    assert {each.kind for each in check(data, None, _quiet).findings} == {Kind.LEFT_OUT}
