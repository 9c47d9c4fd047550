"""Each thing that is in the way is told once, with the way out; a machine that is well has none."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from hpo import redaction
from hpo.settings import Settings, load_settings
from hpo.wiring import bundle, checkup
from hpo.wiring.checkup import GIB, Patient


def settings_in(folder: Path, **variables: str) -> Settings:
    return load_settings({"HPO_HOME": str(folder), **variables})


def test_a_fresh_folder_is_well_and_nothing_is_made_in_it(tmp_path: Path) -> None:
    patient = Patient(settings_in(tmp_path / "runs"))
    checks = (checkup.folder, checkup.database, checkup.clock, checkup.mlflow, checkup.data)
    assert [level for level, _ in (check(patient) for check in checks)] == ["ok"] * 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("found", "way_out"),
    [
        (checkup.room(Path("/runs"), GIB // 2), "HPO_HOME"),
        (checkup.shm(64 * 1024**2, 1024**2), "--shm-size"),
        (checkup.graphics([], here=True, hidden=False), "driver"),
        (checkup.ahead(120.0), "timedatectl"),
        (checkup.ahead(-120.0), "behind"),
    ],
)
def test_what_is_in_the_way_names_the_way_out(found: tuple[str, str], way_out: str) -> None:
    level, line = found
    assert level == "fail"
    assert way_out in line


def test_what_is_well_is_not_in_the_way() -> None:
    found = (
        checkup.room(Path("/runs"), 100 * GIB),
        checkup.shm(8 * GIB, 8 * GIB),
        checkup.graphics(["0: A100"], here=True, hidden=False),
        checkup.ahead(0.2),
    )
    assert {level for level, _ in found} == {"ok"}


@pytest.mark.parametrize("url", ["mysql+pymysql://u@h/d", "journal.log", "sqlite:///:memory:"])
def test_a_url_that_is_no_database_of_ours_is_in_the_way(tmp_path: Path, url: str) -> None:
    assert checkup.database(Patient(settings_in(tmp_path, HPO_STORAGE=url)))[0] == "fail"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "./mlruns"])
def test_an_mlflow_that_does_not_answer_is_in_the_way(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert checkup.mlflow(Patient(settings_in(tmp_path, MLFLOW_TRACKING_URI=uri)))[0] == "fail"


def test_an_mlflow_store_that_is_another_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"of another program" * 100)
    assert checkup.mlflow(Patient(settings_in(tmp_path)))[0] == "fail"


def test_a_home_that_is_a_file_or_read_only_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    assert checkup.folder(Patient(settings_in(tmp_path / "runs")))[0] == "fail"


def test_data_of_a_study_that_is_not_there_is_in_the_way(tmp_path: Path) -> None:
    level, line = checkup.data(Patient(settings_in(tmp_path), study="digits"))
    assert (level, "hpo run" in line) == ("fail", True)


def test_a_bundle_holds_no_secret(tmp_path: Path) -> None:
    redaction.remember("s3cret-word")
    log = tmp_path / "studies" / "digits" / "trials" / "00000-1" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("connects to postgresql://ann:other-word@head/hpo with s3cret-word\n")
    settings = settings_in(tmp_path, HPO_STORAGE="postgresql://ann:s3cret-word@127.0.0.1:9/hpo")
    names = bundle.write(tmp_path / "report.zip", Patient(settings), [{"finding": "s3cret-word"}])
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        texts = [archive.read(name).decode() for name in archive.namelist()]
    assert {"versions.json", "settings.json", "doctor.json"} < set(names)
    assert any("log.txt" in name for name in names)
    assert not [text for text in texts if "s3cret-word" in text or "other-word" in text]


def test_two_clocks_are_compared_by_the_database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hpo.db")):
        pass
    assert checkup.clock(Patient(settings_in(tmp_path)))[0] == "ok"
