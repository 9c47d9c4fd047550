"""Fixtures for the tests of several packages: a tiny real dataset, the smallest model, a preloaded forkserver."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from hpo.dataset import digits
from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training import child, environment
from hpo.trial.messages import Answer, Ended, EpochReport, Message
from hpo.trial.objective import Objective
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.ports import TrialProcess
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Metric, Scalar
from tests import postgres
from tests.shared import made_once, place

ROOT = Path(__file__).parents[1]
SMALLEST_MODEL = ROOT / "tests" / "models" / "tiny.yaml"
"""A network that trains in 2 s of CPU time."""
MODEL_THAT_LEARNS = ROOT / "configs" / "models" / "yolov8-w0625-r4.yaml"
TINY = {"train": 48, "val": 24}
TRAIN: dict[str, Scalar] = {
    "epochs": 3,
    "imgsz": 64,
    "batch": 8,
    "nbs": 8,
    "optimizer": "AdamW",
    "lr0": 0.004,
    "momentum": 0.9,
    "warmup_epochs": 1.0,
    "mosaic": 0.5,
    "close_mosaic": 1,
    "fliplr": 0.0,
    "seed": 0,
}


settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # a busy machine is no fault of the code: no test measures time


def pytest_configure(config: pytest.Config) -> None:
    """Train on the CPU in all tests except tests/gpu, even if there is a GPU: results on the CPU are equal bit
    for bit.
    """
    if not any("tests/gpu" in argument for argument in config.args):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Give a headless Chromium. Each module has its own, because a process can drive only one at a time."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    arguments = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments.split())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a role that may create databases."""
    with postgres.shared_url(place(tmp_path_factory)) as url:
        yield url


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data.yaml of the whole demo set."""
    return made_once(tmp_path_factory, "scenes", lambda folder: digits.make(folder / "digits")) / "digits" / "data.yaml"


@pytest.fixture(scope="session")
def tiny(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data.yaml of the first few scenes, with an absolute path as the worker writes it."""

    def make(folder: Path) -> None:
        for split, count in TINY.items():
            for image in sorted((scenes.parent / "images" / split).iterdir())[:count]:
                label = scenes.parent / "labels" / split / f"{image.stem}.txt"
                for file, kind in ((image, "images"), (label, "labels")):
                    if file.exists():
                        target = folder / kind / split / file.name
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(file, target)
        names = "names: [zero, one, four, seven]\n"
        (folder / "data.yaml").write_text(f"path: {folder}\ntrain: images/train\nval: images/val\n{names}")

    return made_once(tmp_path_factory, "tiny", make) / "data.yaml"


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> ForkserverLauncher:
    """Start real trial processes from one preloaded forkserver."""
    home = tmp_path_factory.mktemp("home")
    return ForkserverLauncher(child.main, "hpo.training.ultralytics_internals.preload", environment.prepare(home))


class Requests:
    """Factory of requests for attempts in ``folder``; keywords change the request, ``train`` is merged."""

    def __init__(self, data: Path, folder: Path) -> None:
        self._data = data
        self._folder = folder
        self._made = 0

    def __call__(self, train: dict[str, Scalar] | None = None, **changes: Any) -> TrialRequest:
        self._made += 1
        values: dict[str, Any] = {
            "study": "tests",
            "number": self._made,
            "ordinal": self._made,
            "attempt": 1,
            "folder": str(self._folder / "trials" / f"{self._made:05d}-1"),
            "model": str(SMALLEST_MODEL),
            "data": str(self._data),
            "train": {**TRAIN, **(train or {})},
            "objective": Objective(),
            "operating_point": None,
        }
        return TrialRequest(**(values | changes))


@pytest.fixture
def request_for(tiny: Path, tmp_path: Path) -> Requests:
    """Return a factory of requests for attempts in the test's folder."""
    return Requests(tiny, tmp_path)


@pytest.fixture(scope="session")
def trained(launcher: ForkserverLauncher, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return weights (.pt) that have learned something: eight epochs on the whole demo set."""

    def make(folder: Path) -> None:
        train: dict[str, Any] = {**TRAIN, "epochs": 8, "imgsz": 96, "lr0": 0.02}
        train |= {"mosaic": 0.0, "scale": 0.2, "hsv_v": 0.0}
        data = folder / "data.yaml"
        data.write_text(scenes.read_text() + f"path: {scenes.parent}\n")
        objective = Objective(Metric.MAP50)
        request = TrialRequest(
            "t", 0, 0, 1, str(folder / "run"), str(SMALLEST_MODEL), str(data), train, objective, None
        )
        talk = Talk(launcher.start(request))
        assert talk.ended.metrics.get("map50", 0.0) > 0.6, talk.ended

    return made_once(tmp_path_factory, "trained", make) / "run" / "weights" / "best.pt"


class Talk:
    """A conversation with a trial's process until it ends; ``answers`` maps an epoch to the answer that it gets."""

    def __init__(self, process: TrialProcess, answers: dict[int, Answer] | None = None) -> None:
        self.messages: list[Message] = []
        self.exit_code: int | None = None
        try:
            self._listen(process, answers or {})
        finally:
            process.kill()

    def _listen(self, process: TrialProcess, answers: dict[int, Answer]) -> None:
        while True:
            try:
                message = process.receive(600)
            except EOFError:
                self.exit_code = process.exit_code()
                return
            assert message is not None, "no message within ten minutes"
            self.messages.append(message)
            self.hear(message)
            if isinstance(message, EpochReport):
                process.answer(answers.get(message.epoch, Answer.GO_ON))

    def hear(self, message: Message) -> None:
        """Get each message before it is answered."""

    def all(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]

    @property
    def reports(self) -> list[EpochReport]:
        return self.all(EpochReport)

    @property
    def ended(self) -> Ended:
        return next(message for message in self.messages if isinstance(message, Ended))


def sampled(iou: float = 0.6, conf: float = 0.25, max_det: int = 300) -> OperatingPoint:
    return OperatingPoint(iou, conf, max_det)
