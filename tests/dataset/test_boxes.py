"""Sizes and classes equal those of the label files; pictures are small separate files."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from hpo.dataset.boxes import box_facts, pictures


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two images of 200 x 100 pixels; classes a, b and c; c is unused."""
    (tmp_path / "images" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train").mkdir(parents=True)
    for name in ("one", "two", "empty"):
        Image.new("RGB", (200, 100), "white").save(tmp_path / "images" / "train" / f"{name}.jpg")
    rows = {
        "one": "0 0.5 0.5 0.1 0.2\n1 0.5 0.5 0.3 0.6\n1 0.5 0.5 0.3 0.6\n",  # 20 x 20 and 60 x 60 pixels; one row twice
        "two": "1 0.1 0.1 0.9 0.1 0.9 0.9\n0 0.5 0.5 0.6 0.7 0.6 0.6\n",  # polygons around 160 x 80 and 20 x 20
    }
    for name, text in rows.items():
        (tmp_path / "labels" / "train" / f"{name}.txt").write_text(text)
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [a, b, c]\n")
    return tmp_path / "data.yaml"


def test_boxes_are_counted_by_class_and_by_cocos_areas(data: Path) -> None:
    found = box_facts(data)
    assert found is not None
    assert found.by_class == {"a": 2, "b": 2, "c": 0}
    assert (found.small, found.medium, found.large) == (2, 1, 1)
    assert found.sides == pytest.approx((0.02**0.5, 0.02**0.5, 0.18**0.5))


def test_a_split_without_boxes_has_no_facts(data: Path) -> None:
    for label in (data.parent / "labels" / "train").iterdir():
        label.write_text("")
    assert box_facts(data) is None
    assert pictures(data) == ()


def test_pictures_are_of_labelled_images_with_their_boxes_drawn(data: Path) -> None:
    shown = pictures(data)
    assert len(shown) == 2
    for uri in shown:
        assert uri.startswith("data:image/jpeg;base64,")
        with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
            assert picture.size == (200, 100)
            assert len(picture.getcolors(100_000) or []) > 1, "nothing is drawn"


def test_an_image_that_exif_turns_is_shown_as_it_is_trained_on(data: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    for name in ("one", "two"):
        file = data.parent / "images" / "train" / f"{name}.jpg"
        Image.new("RGB", (200, 100), "white").save(file, exif=turned)
    for uri in pictures(data):
        with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
            assert picture.size == (100, 200)


def test_an_image_beyond_pillows_limit_is_measured_and_shown(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5_000)
    found = box_facts(data)
    assert found is not None
    assert found.images == 3
    assert len(pictures(data)) == 2
    assert Image.MAX_IMAGE_PIXELS == 5_000


def test_labels_that_begin_with_a_byte_order_mark_are_read(data: Path) -> None:
    label = data.parent / "labels" / "train" / "one.txt"
    label.write_bytes(b"\xef\xbb\xbf" + label.read_bytes())
    found = box_facts(data)
    assert found is not None
    assert found.by_class == {"a": 2, "b": 2, "c": 0}
    assert len(pictures(data)) == 2
