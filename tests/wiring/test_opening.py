"""A machine that joins a study repeats what the creator's machine looked at, on its own copy of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typing_extensions import override

from hpo.api.searching import SearchPlan, search
from hpo.api.view import View
from hpo.dataset.description import describe
from hpo.errors import SpecError, StudyConflict
from hpo.orchestration.stop import StopRequest
from hpo.settings import Settings
from hpo.study.database.storage import Storage
from hpo.study.records import Identity, StudyRow
from hpo.study.studies.lifecycle import create_or_join
from hpo.wiring.same_data import same_data
from tests import odd_images
from tests.api.conftest import mapping
from tests.damaged import jpegs
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


class Told(View):
    """Notes what is told while images are decoded."""

    def __init__(self) -> None:
        self.decoded: list[tuple[int, int]] = []

    @override
    @contextmanager
    def decoding(self) -> Iterator[Callable[[int, int], None]]:
        yield lambda *each: self.decoded.append(each)


def test_a_run_tells_how_the_decoding_goes(tiny: Path, tmp_path: Path) -> None:
    """Ended by an image that would stop a training, before anything else is loaded."""
    data, told = jpegs(tiny, tmp_path / "set"), Told()
    odd_images.cut(tmp_path / "set" / "images" / "train" / "short.bmp", 0.5, "BMP")
    plan, settings = SearchPlan(mapping("told", data)), Settings(tmp_path / "runs", "", "", None)
    with pytest.raises(SpecError, match=r"short\.bmp"):
        search(plan, settings, StopRequest(), told, lambda _stop, _forward: nullcontext())
    assert told.decoded[-1] == (25, 25)
