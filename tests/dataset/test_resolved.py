"""The resolved data.yaml: PyYAML, and so Ultralytics, reads from it the same dataset that was described."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from hpo.dataset.description import describe, write_resolved
from hpo.errors import SpecError

Make = Callable[[str], Path]
Write = Callable[[Path], Path]

_AMBIGUOUS = ("no", "on", "1e3", "0x1f", "null", "12:30", "2024-01-01", "a: b", "#x", "猫🐈")
_PRINTABLE = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1)


def test_a_resolved_file_means_the_same_from_any_folder(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = tmp_path / "study" / "data.yaml"
    write_resolved(dataset, resolved)
    monkeypatch.chdir("/")
    assert describe(resolved).fingerprint == describe(dataset).fingerprint
    assert pyyaml.safe_load(resolved.read_text()) == {
        "path": str(dataset.parent),
        "train": str(dataset.parent / "images/train"),
        "val": str(dataset.parent / "images/val"),
        "names": ["cat", "dog"],
    }


@given(names=st.lists(st.one_of(st.sampled_from(_AMBIGUOUS), _PRINTABLE), min_size=1, max_size=4))
def test_pyyaml_reads_every_class_name_as_it_was_described(
    write: Write, tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    yaml = write(tmp_path_factory.getbasetemp() / "names")
    quoted = json.dumps([*names, "another"], ensure_ascii=False)
    yaml.write_text(f"train: images/train\nval: images/val\nnames: {quoted}\n")
    resolved = yaml.with_name("resolved.yaml")
    write_resolved(yaml, resolved)
    assert pyyaml.safe_load(resolved.read_text())["names"] == list(describe(yaml).names) == [*names, "another"]


def test_a_plain_yes_or_no_is_a_name(dataset_with: Make, tmp_path: Path) -> None:
    yaml = dataset_with("train: images/train\nval: images/val\nnames: {0: no, 1: yes}\n")
    write_resolved(yaml, tmp_path / "resolved.yaml")
    assert describe(yaml).names == ("no", "yes")
    assert pyyaml.safe_load((tmp_path / "resolved.yaml").read_text())["names"] == ["no", "yes"]


def test_lists_of_places_and_further_keys_stay(dataset_with: Make, tmp_path: Path) -> None:
    yaml = dataset_with(
        "train: [images/train, ./images/val]\nval: ../images/val\nnames: [cat, dog]\nchannels: 1\nmade: 2024-01-01\n"
    )
    write_resolved(yaml, tmp_path / "resolved.yaml")
    keys = pyyaml.safe_load((tmp_path / "resolved.yaml").read_text())
    assert keys["train"] == [str(yaml.parent / "images/train"), str(yaml.parent / "images/val")]
    assert keys["val"] == str(yaml.parent / "images/val")
    assert (keys["channels"], keys["made"]) == (1, "2024-01-01")


def test_a_wrong_file_is_refused_and_nothing_is_written(dataset_with: Make, tmp_path: Path) -> None:
    yaml = dataset_with("train: images/train\nval: images/val\nnames: [cat, dog]\ndownload: x.zip\n")
    with pytest.raises(SpecError, match="download"):
        write_resolved(yaml, tmp_path / "new" / "resolved.yaml")
    assert not (tmp_path / "new").exists()


def test_an_older_resolved_file_is_replaced_and_no_draft_is_left(dataset: Path, tmp_path: Path) -> None:
    resolved = tmp_path / "study" / "data.yaml"
    resolved.parent.mkdir()
    resolved.write_text("obsolete")
    write_resolved(dataset, resolved)
    assert [file.name for file in resolved.parent.iterdir()] == ["data.yaml"]
    assert "obsolete" not in resolved.read_text()
