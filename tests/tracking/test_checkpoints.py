"""Checkpoints in MLflow's artifact store: through a real server, and in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from hpo.errors import OutsideStore, StorageUnavailable
from hpo.servers import Address
from hpo.settings import Settings
from hpo.tracking import client, ui
from hpo.tracking.checkpoints import Missing, MlflowStore
from tests.postgres import free_port
from tests.tracking.support import make_study, settings_in


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("served")
    address = Address("127.0.0.1", free_port())
    with ui.server(settings_in(home), address):
        yield Settings(home, "", address.url, None)


@pytest.fixture(params=[pytest.param("server", marks=pytest.mark.long), "folder"])
def store(request: pytest.FixtureRequest, settings: Settings) -> MlflowStore:
    return MlflowStore(request.getfixturevalue("remote") if request.param == "server" else settings, make_study())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "001-00003-abcdef01.pt"
    made.write_bytes(b"state" * 300_000)
    return made


def test_what_was_put_is_fetched_and_deleted_in_any_order_twice(store: MlflowStore, file: Path, tmp_path: Path) -> None:
    other = file.with_name("001-00002-abcdef01.pt")
    other.write_bytes(b"older")
    location, second = store.put(file, "00004"), store.put(other, "00004")
    store.fetch(location, tmp_path / "here.tmp")
    assert (tmp_path / "here.tmp").read_bytes() == file.read_bytes()
    for _ in range(2):
        store.delete(location)
    with pytest.raises(Missing, match="is not there"):
        store.fetch(location, tmp_path / "gone.tmp")
    store.fetch(second, tmp_path / "here.tmp")
    for _ in range(2):
        store.delete(second.rpartition("/")[0])
    with pytest.raises(Missing):
        store.fetch(second, tmp_path / "gone.tmp")
    assert sorted(path.name for path in tmp_path.glob("*.tmp")) == ["here.tmp"]


def test_a_location_is_relative_and_the_whole_address_of_an_older_version_still_works(
    store: MlflowStore, file: Path, tmp_path: Path
) -> None:
    location = store.put(file, "00004")
    assert location == f"00004/{file.name}"
    store.fetch(f"{store._base}/{location}", tmp_path / "here.tmp")
    assert (tmp_path / "here.tmp").read_bytes() == file.read_bytes()
    store.delete(f"{store._base}/00004")
    with pytest.raises(Missing):
        store.fetch(location, tmp_path / "gone.tmp")


@pytest.mark.parametrize(
    "location",
    [
        "{folder}/kept",
        "file://{folder}/kept",
        "mlflow-artifacts:/1/checkpoints/kept",
        "../kept",
        "00004/../../kept",
        "%2e%2e/kept",
        "%252e%252e/kept",
        "00004/..\\..\\kept",
        "",
        "/",
        ".",
        "00004/",
        "link/kept",
    ],
)
def test_a_row_that_names_another_place_is_neither_fetched_nor_deleted(
    settings: Settings, file: Path, tmp_path: Path, location: str
) -> None:
    store, kept = MlflowStore(settings, make_study()), tmp_path / "mine" / "kept"
    store.put(file, "00004")
    base = Path(url2pathname(urlsplit(store._base).path))
    kept.mkdir(parents=True)
    (kept / "file").write_text("x")
    (base.parent / "kept").mkdir()
    (base / "link").symlink_to(tmp_path / "mine")
    named = location.format(folder=tmp_path / "mine")
    with pytest.raises(OutsideStore, match=r"lies outside of .* left alone"):
        store.delete(named)
    with pytest.raises(OutsideStore):
        store.fetch(named, tmp_path / "here.tmp")
    assert (kept / "file").exists()
    assert (base.parent / "kept").is_dir()
    assert (base / "00004" / file.name).is_file()


@pytest.mark.long
def test_no_run_shows_them(remote: Settings, file: Path) -> None:
    MlflowStore(remote, make_study()).put(file, "00004")
    connected = client.connect(remote.tracking_uri)
    [experiment] = [each for each in connected.search_experiments() if each.name != "Default"]
    assert list(connected.search_runs([experiment.experiment_id])) == []


def test_a_server_that_is_away_is_an_outage_not_a_missing_file(settings: Settings, file: Path) -> None:
    nowhere = MlflowStore(Settings(settings.home, "", f"http://127.0.0.1:{free_port()}", None), make_study())
    for call in (
        lambda: nowhere.put(file, "00004"),
        lambda: nowhere.fetch("mlflow-artifacts:/1/checkpoints/00004/x.pt", file),
        lambda: nowhere.delete("mlflow-artifacts:/1/checkpoints/00004"),
    ):
        with pytest.raises(StorageUnavailable):
            call()
