"""The fingerprint represents the content, and the cache never changes it."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.dataset.description import describe
from hpo.errors import SpecError

Write = Callable[[Path], Path]
Change = Callable[[Path], object]

_FILES = ("images/train/a.jpg", "images/train/b.jpg", "images/val/c.jpg", "labels/train/a.txt", "labels/val/c.txt")


def age(folder: Path) -> None:
    """Make all files an hour old: newer files are not cached yet, since they may change without a new time stamp."""
    then = time.time() - 3600
    for file in folder.rglob("*"):
        os.utime(file, (then, then))


def append(name: str, more: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes() + more)


def rename(name: str, to: str) -> Change:
    return lambda folder: (folder / name).rename(folder / to)


def put(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content)


@given(st.binary(max_size=50), st.sampled_from(["one", "images", "some/where/else"]))
def test_the_same_content_has_the_same_fingerprint_anywhere(write: Write, content: bytes, place: str) -> None:
    with tempfile.TemporaryDirectory() as here:
        first, second = write(Path(here, "first")), write(Path(here, place))
        for yaml in (first, second):
            (yaml.parent / "images/train/a.jpg").write_bytes(content)
        assert describe(first).fingerprint == describe(second).fingerprint


CHANGES: dict[str, Change] = {
    **{f"a changed {name}": append(name, b"\n" if name.endswith(".txt") else b"x") for name in _FILES},
    "a renamed image": rename("images/train/b.jpg", "images/train/z.jpg"),
    "a new image": put("images/val/new.jpg", "more"),
    "a new empty label file": put("labels/train/b.txt", ""),
    "another order of classes": put("data.yaml", "train: images/train\nval: images/val\nnames: [dog, cat]\n"),
    "splits exchanged": put("data.yaml", "train: images/val\nval: images/train\nnames: [cat, dog]\n"),
    "one more split": put("data.yaml", "train: images/train\nval: images/val\ntest: images/val\nnames: [cat, dog]\n"),
    "every image twice": put("data.yaml", "train: [images/train, images/train]\nval: images/val\nnames: [cat, dog]\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_content_names_or_splits_is_another_fingerprint(dataset: Path, change: str) -> None:
    before = describe(dataset).fingerprint
    CHANGES[change](dataset.parent)
    assert describe(dataset).fingerprint != before


@given(st.data())
def test_any_changed_byte_is_another_fingerprint(write: Write, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as here:
        yaml = write(Path(here))
        before = describe(yaml).fingerprint
        file = yaml.parent / data.draw(st.sampled_from([name for name in _FILES if name.endswith(".jpg")]))
        content = bytearray(file.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        file.write_bytes(content)
        assert describe(yaml).fingerprint != before


@pytest.mark.parametrize(
    "yaml", ["names: {1: dog, 0: cat}", "names: [cat, dog]\nnc: 2", "author: someone\nnames: [cat, dog]"]
)
def test_how_the_data_yaml_is_written_is_no_content(dataset: Path, yaml: str) -> None:
    before = describe(dataset).fingerprint
    dataset.write_text(f"train: [images/train]\nval: images/val\n{yaml}\n")
    assert describe(dataset).fingerprint == before


def test_the_cache_changes_nothing_and_spares_the_reading(dataset: Path, tmp_path: Path) -> None:
    age(dataset.parent)
    cache = tmp_path / "cache"
    cold = describe(dataset, cache)
    picture = dataset.parent / "images/train/a.jpg"
    kept = picture.stat()
    picture.write_bytes(b"x" * kept.st_size)  # unseen on purpose: same size, and the old time stamp restored
    os.utime(picture, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert describe(dataset, cache) == cold
    assert describe(dataset).fingerprint != cold.fingerprint


@pytest.mark.parametrize("name", _FILES)
def test_a_cached_file_that_changed_is_read_again(dataset: Path, tmp_path: Path, name: str) -> None:
    age(dataset.parent)
    cold = describe(dataset, tmp_path)
    append(name, b"\n")(dataset.parent)
    assert describe(dataset, tmp_path).fingerprint == describe(dataset).fingerprint != cold.fingerprint


def test_a_file_that_may_still_change_unseen_is_not_cached(dataset: Path, tmp_path: Path) -> None:
    describe(dataset, tmp_path)
    picture = dataset.parent / "images/train/a.jpg"
    new = picture.stat()
    picture.write_bytes(b"x" * new.st_size)
    os.utime(picture, ns=(new.st_atime_ns, new.st_mtime_ns))  # as with a coarse clock
    assert describe(dataset, tmp_path).fingerprint == describe(dataset).fingerprint


def test_a_cached_label_is_checked_against_the_classes_of_today(dataset: Path, tmp_path: Path) -> None:
    age(dataset.parent)
    describe(dataset, tmp_path)
    dataset.write_text("train: images/train\nval: images/val\nnames: [cat]\n")
    with pytest.raises(SpecError, match=r"a\.txt:2: class 1, but data\.yaml names 1"):
        describe(dataset, tmp_path)


def test_a_broken_cache_costs_time_only(dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "contents-4.db").write_bytes(b"no database at all" * 100)
    assert describe(dataset, tmp_path) == describe(dataset)
    assert "dataset.cache_unusable" in caplog.text


def _describe(yaml: Path, cache: Path) -> str:
    return describe(yaml, cache).fingerprint


def test_several_processes_may_share_a_cache(dataset: Path, tmp_path: Path) -> None:
    age(dataset.parent)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.starmap(_describe, [(dataset, tmp_path / "cache")] * 8)
    assert set(found) == {describe(dataset).fingerprint}


def test_names_that_are_no_utf8_are_cached_like_others(dataset: Path, tmp_path: Path) -> None:
    folder = dataset.parent
    for kind, suffix in (("images", "jpg"), ("labels", "txt")):
        file = folder / kind / "train" / f"a.{suffix}"
        os.rename(file, os.fsencode(file.parent) + f"/gr\xfcn.{suffix}".encode("latin-1"))  # noqa: PTH104
    age(folder)
    first, again = describe(dataset, tmp_path / "cache"), describe(dataset, tmp_path / "cache")
    assert first == again == describe(dataset)
