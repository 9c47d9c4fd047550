"""No weights run code of their author, neither where a study is made nor in a trial, unless they are trusted."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from hpo.errors import UsageError
from hpo.files import digest
from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training import probe
from hpo.trial import checkpoints
from hpo.trial.messages import Answer
from hpo.trial.paths import AttemptPaths
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason
from tests.conftest import Requests, Talk
from tests.training.support import untrained

NAMES = ["zero", "one", "four", "seven"]
pytestmark = pytest.mark.usefixtures("ultralytics")
OWNER = "owner"
QUICK: dict[str, Any] = {"epochs": 1, "close_mosaic": 0, "warmup_epochs": 0.0}


class Canary:
    """Unpickling it makes the file ``seen``."""

    def __init__(self, seen: Path) -> None:
        self.seen = seen

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.seen}'",)


def hostile(folder: Path) -> Path:
    """Return weights that train, and run code when they are unpickled without restriction."""
    import torch

    file = untrained(folder / "hostile.pt", NAMES)
    content = torch.load(file, weights_only=False)
    torch.save({**content, "extra": Canary(folder / "seen")}, file)
    return file


def ask(launcher: ForkserverLauncher, **request: Any) -> dict[str, Any]:
    request = {"model": None, "weights_folder": "", **request}
    return dict(json.loads(launcher.call(probe.main, json.dumps(request), 300)))


def test_hostile_weights_are_refused_with_what_they_refer_to_unless_they_are_trusted(
    launcher: ForkserverLauncher, tmp_path: Path
) -> None:
    file = hostile(tmp_path)
    said = ask(launcher, model=str(file))
    assert said["at"] == "model"
    assert f"could run code: it refers to {os.system.__module__}.system" in said["error"]
    assert f"--trust {file}" in said["error"]
    assert not (tmp_path / "seen").exists()
    assert ask(launcher, model=str(file), trusted=[digest(file)])["family"]
    assert (tmp_path / "seen").exists()


def test_hostile_weights_of_a_training_argument_are_refused_by_its_key(
    launcher: ForkserverLauncher, tmp_path: Path
) -> None:
    file = str(hostile(tmp_path))
    for key in ("train.pretrained", "train.distill_model"):
        said = ask(launcher, train_files={key: file})
        assert said["at"] == key
        assert "could run code" in said["error"]
    assert not (tmp_path / "seen").exists()


def test_weights_that_unpack_to_gigabytes_are_refused_before_they_are_unpacked(
    launcher: ForkserverLauncher, tmp_path: Path
) -> None:
    from hpo.training.ultralytics_internals.weights import load

    file = tmp_path / "bomb.pt"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\x80\x02N.")
        archive.writestr("bomb/data/0", bytes(80 << 20))
    assert file.stat().st_size < 1 << 20
    assert "unpacks to 80 MiB" in ask(launcher, model=str(file))["error"]
    with pytest.raises(UsageError, match="unpacks to 80 MiB"):
        load(file)


@pytest.mark.parametrize("role", ["model", pytest.param("pretrained", marks=pytest.mark.long)])
def test_a_trial_unpickles_hostile_weights_only_where_their_content_is_trusted(
    launcher: ForkserverLauncher, request_for: Any, tmp_path: Path, role: str
) -> None:
    file = hostile(tmp_path)
    named = {"model": str(file)} if role == "model" else {}
    request: TrialRequest = request_for({**QUICK, **({} if named else {"pretrained": str(file)})}, **named)
    refused = Talk(launcher.start(replace(request, trusted=("0" * 64,))))
    assert refused.ended.reason is Reason.CRASH
    assert not (tmp_path / "seen").exists()
    trusted = Talk(launcher.start(replace(request, folder=f"{request.folder}-2", trusted=(digest(file),))))
    assert trusted.ended.reason is Reason.COMPLETE
    assert (tmp_path / "seen").exists()


def test_a_hostile_model_yaml_runs_in_no_trial(launcher: ForkserverLauncher, request_for: Any, tmp_path: Path) -> None:
    request = request_for(QUICK)
    code = f"(open('{tmp_path}/seen', 'a'), __import__('torch').nn.SiLU())[1]"
    file = tmp_path / "tiny.yaml"
    # a line break of YAML 1.1 alone: what is a comment to one reader is a key to the other
    file.write_text(f'{Path(request.model).read_text()}\n# a comment\x85activation: "{code}"\n')
    ended = Talk(launcher.start(replace(request, model=str(file)))).ended
    assert ended.reason in (Reason.CRASH, Reason.COMPLETE)
    assert not (tmp_path / "seen").exists()


@pytest.fixture(scope="module")
def given_back(launcher: ForkserverLauncher, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a training that was given back after its first epoch."""
    request = Requests(tiny, tmp_path_factory.mktemp("given_back"))({"epochs": 2, "close_mosaic": 0}, token=OWNER)
    Talk(launcher.start(request), {1: Answer.GIVE_BACK})
    saved = checkpoints.newest(AttemptPaths(Path(request.folder)).checkpoints, OWNER)
    assert saved is not None
    return saved.path


def weights_with_a_canary(seen: Path) -> Any:
    import torch

    buffer = io.BytesIO()
    torch.save({"model": Canary(seen)}, buffer)
    return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)


@pytest.mark.parametrize(
    "what", ["canary", pytest.param("best", marks=pytest.mark.long), pytest.param("damaged", marks=pytest.mark.long)]
)
def test_a_trial_starts_anew_from_a_hostile_checkpoint_and_runs_nothing_of_it(
    launcher: ForkserverLauncher, request_for: Any, given_back: Path, tmp_path: Path, what: str
) -> None:
    import torch

    state = torch.load(given_back, weights_only=False)
    changed: dict[str, Any] = {
        "canary": lambda: {"extra": Canary(tmp_path / "seen")},
        "best": lambda: {"best": weights_with_a_canary(tmp_path / "seen")},
        "damaged": lambda: {"optimizer": {"state": 1}},
    }[what]()
    file = tmp_path / "checkpoint-00001.pt"
    torch.save({**state, **changed}, file)
    file.with_suffix(".json").write_text(json.dumps({"epoch": 1, "sha256": digest(file), "owner": OWNER}))
    request = request_for({"epochs": 2, "close_mosaic": 0}, checkpoint=str(file), known_epochs=1)
    talk = Talk(launcher.start(request))
    assert talk.ended.reason is Reason.COMPLETE
    assert [report.epoch for report in talk.reports] == [1, 2]
    assert not (tmp_path / "seen").exists()
    assert f"{file} can't be used" in AttemptPaths(Path(request.folder)).log.read_text()
    assert checkpoints.found(tmp_path, OWNER) == []  # no later attempt tries it again
