"""Changes of a dataset, described so that its owner finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from hpo.dataset.description import describe
from hpo.dataset.difference import differences

Write = Callable[[Path], Path]


def test_counts_that_changed_are_listed(write: Write, tmp_path: Path) -> None:
    yaml = write(tmp_path)
    before = asdict(describe(yaml))
    (tmp_path / "images" / "train" / "d.jpg").write_bytes(b"new")
    told = differences(before, describe(yaml))
    assert told[0].startswith(f"data (content of {yaml}): sha256 ")
    assert told[1:] == ["split train: 3 images, not 2", "split train: 2 background, not 1"]


def test_splits_and_names_that_changed_are_listed(write: Write, tmp_path: Path) -> None:
    yaml = write(tmp_path)
    before = asdict(describe(yaml))
    yaml.write_text("train: images/train\nval: images/val\ntest: images/val\nnames: [cat, cow]\n")
    assert differences(before, describe(yaml))[1:] == ["names: cat, cow, not cat, dog", "split test: is new (1 images)"]
    assert differences(asdict(describe(yaml)), describe(write(tmp_path)))[2] == "split test: is gone"


def test_where_only_a_content_changed_that_is_said(write: Write, tmp_path: Path) -> None:
    yaml = write(tmp_path)
    before = asdict(describe(yaml))
    (tmp_path / "images" / "train" / "a.jpg").write_bytes(b"another")
    assert "another content" in differences(before, describe(yaml))[1]
