"""Data that has changed under a study: which files, and a study that goes on with them, on record."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hpo.confirmation import stage
from hpo.dataset import manifest
from hpo.dataset.description import look_at
from hpo.errors import StudyConflict, UsageError
from hpo.settings import Settings
from hpo.study.database.storage import Storage
from hpo.study.records import Identity, StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, lifecycle, verdicts
from hpo.studyfile.schema import Confirm
from hpo.wiring.accepting import accept_data
from hpo.wiring.same_data import same_data
from tests.damaged import jpegs
from tests.searches import verdict
from tests.shared import copy_of
from tests.study.support import FACTS, INSIDE, run, study_spec


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home", "", "", None)


@pytest.fixture
def data(tiny: Path, tmp_path: Path) -> Path:
    return jpegs(tiny, tmp_path / "set", train=6, val=3)


@pytest.fixture
def study(storage: Storage, data: Path, settings: Settings) -> StudyRow:
    """Return a finished search on ``data``, whose files this machine knows."""
    look = look_at(data, None, decode=True)
    spec = replace(study_spec(trials=3, baseline=True), data=str(data))
    facts = replace(FACTS, dataset=asdict(look.summary))
    row = lifecycle.create_or_join(storage, spec, Identity(look.summary.fingerprint, "m" * 64), facts)
    manifest.remember(settings.study_folder(row.name), look)
    with WorkerSession(storage, row, "w", INSIDE) as session:
        run(session)
    return row


def change(data: Path) -> list[str]:
    """Change an image, remove one and add one; return their paths."""
    first, second, *_ = sorted((data.parent / "images" / "train").iterdir())
    first.write_bytes(first.read_bytes() + b"\0")
    second.rename(second.with_name("zz.jpg"))
    return [f"images/train/{name}" for name in (first.name, second.name, "zz.jpg")]


def test_changed_data_is_refused_file_by_file_and_nobody_is_told_to_delete(
    study: StudyRow, data: Path, settings: Settings
) -> None:
    same_data(study, data, settings, "")
    changed = change(data)
    with pytest.raises(StudyConflict) as refused:
        same_data(study, data, settings, "")
    said = str(refused.value)
    assert all(path in said for path in changed)
    assert f"{changed[1]}: is gone" in said
    assert f"{changed[2]}: is new" in said
    assert "--accept-data" in said
    assert "delete" not in said


def test_a_study_goes_on_with_other_data_on_record(
    storage: Storage, study: StudyRow, data: Path, settings: Settings
) -> None:
    changed = change(data)
    told = accept_data(storage, study, data, settings, "me@here")
    assert told is not None
    assert all(path in told for path in changed)
    again = lifecycle.load(storage, study.name)
    same_data(again, data, settings, "")
    assert accept_data(storage, again, data, settings, "me@here") is None
    (note,) = again.facts.data_notes
    assert "the data was changed within the study" in note
    assert "me@here" in note
    assert note in again.facts.cautions
    assert controls.notes(storage, again, "data") == [again.identity.data_fingerprint]
    staged = stage.begin(storage, again, Confirm(top=1, seeds=2))
    assert staged.facts.data_notes == [note]


def test_a_machine_with_the_data_of_before_is_told_so(
    storage: Storage, study: StudyRow, data: Path, settings: Settings, tmp_path: Path
) -> None:
    """A worker there can't take the study back: it is asked for the accepted data, not whether to accept its own."""
    elsewhere = copy_of(data, tmp_path / "elsewhere")
    change(data)
    accept_data(storage, study, data, settings, "me@here")
    again = lifecycle.load(storage, study.name)
    with pytest.raises(
        StudyConflict, match=r"from before .*, when me@here accepted another one; way out: the study's"
    ) as said:
        same_data(again, elsewhere, settings, "")
    assert "--accept-data" not in str(said.value)
    same_data(again, data, settings, "")


def test_a_confirmation_runs_wholly_on_one_state_of_the_data(
    storage: Storage, study: StudyRow, data: Path, settings: Settings
) -> None:
    begun = stage.begin(storage, study, Confirm(top=1, seeds=2))
    change(data)
    with pytest.raises(StudyConflict, match="its confirmation has begun"):
        accept_data(storage, study, data, settings, "me")
    with pytest.raises(UsageError, match="is a confirmation"):
        accept_data(storage, begun, data, settings, "me")
    verdicts.keep(storage, begun, "me", verdict("beats"))
    assert accept_data(storage, study, data, settings, "me") is not None
    assert lifecycle.load(storage, begun.name).identity == study.identity


def test_other_classes_are_another_study(storage: Storage, study: StudyRow, data: Path, settings: Settings) -> None:
    text = data.read_text()
    data.write_text(text[: text.index("names:")] + "names: [a, b, c, d]\n")
    with pytest.raises(UsageError, match="other classes"):
        accept_data(storage, study, data, settings, "me")
