"""The model registry in a real MLflow store: versions, aliases, signature, lineage."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from hpo.errors import StorageUnavailable
from hpo.servers import Address
from hpo.settings import Settings
from hpo.tracking import ui
from hpo.tracking.client import connect
from hpo.tracking.registry import CHALLENGER, CHAMPION, ModelRegistry, RegistryEntry
from hpo.tracking.runs import Runs
from hpo.trial import handed_over
from hpo.trial.operating_point import DEFAULT
from tests.tracking.support import make_study, settings_in


def promoted(folder: Path, identity: str = "one") -> RegistryEntry:
    """Return a folder in the form of a promoted one; its weights hold no model, since nothing here loads them."""
    folder.mkdir(exist_ok=True)
    (folder / handed_over.WEIGHTS).write_text(identity)
    (folder / handed_over.POINT).write_text(json.dumps(handed_over.document(DEFAULT, 96, "", None)))
    (folder / handed_over.CARD).write_text("# card\n")
    tags = {"hpo.trial_number": "7", "hpo.study_uuid": "u", "hpo.trial_run_id": "r"}
    return RegistryEntry(identity, "cells", folder, tags, "# card", {"test/map50": 0.5})


@pytest.fixture
def client(settings: Settings) -> Any:
    return connect(settings.tracking_uri)


def test_a_version_has_alias_signature_lineage_and_files(settings: Settings, client: Any, tmp_path: Path) -> None:
    from mlflow.models import Model

    study = make_study()
    version = ModelRegistry(settings).add(study, promoted(tmp_path / "winner"), CHAMPION)
    found = client.get_model_version_by_alias("cells", CHAMPION)
    assert (str(found.version), found.description) == (version, "# card")
    assert {"hpo.trial_number": "7", "hpo.study_uuid": "u", "hpo.trial_run_id": "r"}.items() <= found.tags.items()
    run = client.get_run(found.run_id)
    assert (run.info.status, run.data.tags["stage"], run.data.metrics) == ("FINISHED", "promotion", {"test/map50": 0.5})
    (tmp_path / "fetched").mkdir()
    champion = ModelRegistry(settings).champion("cells", tmp_path / "fetched")
    assert champion is not None
    assert (champion.version, champion.weights.read_text()) == (version, "one")
    assert handed_over.point_of(json.loads(champion.settings.read_text())) == (DEFAULT, 96)
    model = Model.load(str(champion.weights.parents[2]))
    assert model.signature.inputs.inputs[0].shape == (-1, -1, -1, 3)
    assert model.signature.outputs.input_names() == ["image", "x1", "y1", "x2", "y2", "score", "class", "name"]
    assert model.flavors["python_function"]["loader_module"] == "hpo.deploy"


def test_registering_the_same_promotion_again_makes_no_second_version(
    settings: Settings, client: Any, tmp_path: Path
) -> None:
    study, entry = make_study(), promoted(tmp_path / "winner")
    assert ModelRegistry(settings).version_of(entry) is None
    first = ModelRegistry(settings).add(study, entry, CHAMPION)
    assert ModelRegistry(settings).version_of(entry) == first
    assert ModelRegistry(settings).add(study, entry, CHAMPION) == first
    assert len(client.search_model_versions("name = 'cells'")) == 1
    runs = Runs(client, client.get_run(client.get_model_version("cells", first).run_id).info.experiment_id)
    assert [len(each) for each in runs.all().values()] == [1]


def test_a_challenger_leaves_the_champion_alone(settings: Settings, client: Any, tmp_path: Path) -> None:
    study, registry = make_study(), ModelRegistry(settings)
    assert registry.champion("cells", tmp_path) is None
    first = registry.add(study, promoted(tmp_path / "a", "a"), CHAMPION)
    second = registry.add(study, promoted(tmp_path / "b", "b"), CHALLENGER)
    assert str(client.get_model_version_by_alias("cells", CHAMPION).version) == first
    assert str(client.get_model_version_by_alias("cells", CHALLENGER).version) == second


def test_versions_follow_a_home_that_has_moved(settings: Settings, tmp_path: Path) -> None:
    """They keep their aliases, a person's own too; the champion can be compared with before and after."""
    study, entry = make_study(), promoted(tmp_path / "winner")
    entry = replace(entry, tags={**entry.tags, "hpo.study_uuid": study.uuid})
    first = ModelRegistry(settings).add(study, entry, CHAMPION)
    connect(settings.tracking_uri).set_registered_model_alias("cells", "in-the-field", first)
    moved = settings_in(Path(shutil.move(settings.home, tmp_path / "moved home")))
    registry, client = ModelRegistry(moved), connect(moved.tracking_uri)
    client.rename_experiment(client.get_experiment_by_name(study.name).experiment_id, "left")  # as ``hpo sync --again``
    (tmp_path / "fetched").mkdir()
    champion = registry.champion("cells", tmp_path / "fetched")
    assert champion is not None
    assert champion.weights.read_text() == "one"

    [(name, version, aliases)] = registry.follow(study)
    assert (name, aliases) == ("cells", [CHAMPION, "in-the-field"])
    assert version != first
    assert registry.version_of(entry) == version
    again = client.get_model_version_by_alias("cells", "in-the-field")
    assert (str(again.version), again.description) == (version, "# card")
    assert Path(unquote(urlsplit(again.source).path)).is_relative_to(moved.home)
    assert client.get_run(again.run_id).data.metrics == {"test/map50": 0.5}
    assert registry.follow(study) == []
    assert not settings.home.exists()


def test_a_registry_that_is_down_says_so(tmp_path: Path) -> None:
    away = Settings(tmp_path, "", "http://127.0.0.1:9", None)
    with pytest.raises(StorageUnavailable):
        ModelRegistry(away).champion("cells", tmp_path)
    with pytest.raises(StorageUnavailable):
        ModelRegistry(away).add(make_study(), promoted(tmp_path / "winner"), CHAMPION)


@pytest.mark.long
def test_registering_loads_no_framework(settings: Settings, tmp_path: Path) -> None:
    promoted(tmp_path / "winner")
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hpo.settings import Settings\n"
        "from hpo.tracking.registry import ModelRegistry\n"
        "from tests.tracking.support import make_study\n"
        "from tests.tracking.test_registry import promoted\n"
        f"settings = Settings(Path({str(settings.home)!r}), '', {settings.tracking_uri!r}, "
        f"Path({str(settings.artifact_root)!r}))\n"
        f"ModelRegistry(settings).add(make_study(), promoted(Path({str(tmp_path / 'winner')!r})), 'champion')\n"
        "sys.exit(bool({'torch', 'ultralytics'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_over_http_files_go_and_come_through_the_server(settings: Settings, tmp_path: Path) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", probe.getsockname()[1])
    with ui.server(settings, address):
        away = Settings(tmp_path / "node", "", address.url, None)
        version = ModelRegistry(away).add(make_study(), promoted(tmp_path / "winner"), CHAMPION)
        (tmp_path / "fetched").mkdir()
        champion = ModelRegistry(away).champion("cells", tmp_path / "fetched")
    assert champion is not None
    assert (champion.version, champion.weights.read_text()) == (version, "one")
    assert not (tmp_path / "node" / "mlartifacts").exists()
