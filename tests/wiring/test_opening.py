"""A machine that joins a study repeats what the creator's machine looked at, on its own copy of the data."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hpo.dataset.description import describe
from hpo.errors import StudyConflict
from hpo.settings import Settings
from hpo.study.database.storage import Storage
from hpo.study.records import Identity, StudyRow
from hpo.study.studies.lifecycle import create_or_join
from hpo.wiring.same_data import same_data
from tests.dataset.conftest import write_dataset
from tests.study.support import FACTS, study_spec

GREY = "channels: 1\n"


def made(storage: Storage, data: Path) -> StudyRow:
    found = describe(data)
    return create_or_join(
        storage, study_spec(), Identity(found.fingerprint, "m" * 64), replace(FACTS, dataset=asdict(found))
    )


def test_the_same_images_read_with_other_channels_are_refused(storage: Storage, tmp_path: Path) -> None:
    """The network would be another one, whatever the model's file says."""
    study, copy = made(storage, write_dataset(tmp_path / "one")), write_dataset(tmp_path / "copy")
    settings = Settings(tmp_path / "runs", "", "", None)
    same_data(study, copy, settings, "with --data")
    copy.write_text(copy.read_text() + GREY)
    with pytest.raises(StudyConflict, match=r"key `channels`.*stored 3, asked 1") as caught:
        same_data(study, copy, settings, "with --data")
    assert str(copy) in str(caught.value)
    with pytest.raises(StudyConflict, match=r"(?s)stored 3, asked 1.*`channels` that the study was made with"):
        made(storage, copy)


def test_a_study_of_before_is_asked_for_no_channels(storage: Storage, tmp_path: Path) -> None:
    grey = write_dataset(tmp_path / "grey")
    grey.write_text(grey.read_text() + GREY)
    study = made(storage, grey)
    old = replace(study, facts=replace(study.facts, dataset={}))
    same_data(old, grey, Settings(tmp_path / "runs", "", "", None), "with --data")
