"""Failures after a training that is swept: what was trained is kept, and measured as well as can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from typing_extensions import override

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.trial.messages import EpochReport, Message
from hpo.trial.operating_point import DEFAULT
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import TrialProcess
from hpo.trial.vocabulary import Reason
from tests.conftest import Talk
from tests.shared import copy_of
from tests.training.measuring.requests import KEYS, SHORT, Maker


@pytest.fixture
def own_data(tiny: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny dataset that a test may destroy."""
    return copy_of(tiny, tmp_path / "data")


class Destroying(Talk):
    """A conversation that removes the validation images once the last epoch is over."""

    def __init__(self, process: TrialProcess, images: Path) -> None:
        self.images = images
        super().__init__(process)

    @override
    def hear(self, message: Message) -> None:
        if isinstance(message, EpochReport) and message.epoch == SHORT["epochs"]:
            for image in self.images.iterdir():
                image.unlink()


@pytest.mark.long
@pytest.mark.parametrize("baseline", [True, False])
def test_a_capture_that_fails_loses_no_training(
    launcher: ForkserverLauncher, swept_request: Maker, own_data: Path, *, baseline: bool
) -> None:
    """The images are gone, except for the copies in memory that Ultralytics validates with."""
    changes = {"data": str(own_data), "operating_point": DEFAULT if baseline else None}
    sound = Talk(launcher.start(swept_request({"cache": "ram"}, **changes)))
    request = swept_request({"cache": "ram"}, **changes)
    ended = Destroying(launcher.start(request), own_data.parent / "images" / "val").ended
    assert ended.reason is Reason.COMPLETE
    assert "measured at Ultralytics' defaults, because the capture failed" in ended.detail
    assert ended.swept is None
    assert set(ended.metrics) == KEYS
    assert ended.value == ended.metrics["f1"] > 0
    assert ended.operating_point == DEFAULT
    assert ended.best_epoch == sound.ended.best_epoch
    default = sound.ended.value if sound.ended.swept is None else sound.ended.swept.default_value
    assert (sound.ended.swept is None) == baseline
    assert ended.value == pytest.approx(default, abs=0.05)  # as Ultralytics validates, not as it predicts
    assert "Traceback" in AttemptPaths(Path(request.folder)).log.read_text()
    assert AttemptPaths(Path(request.folder)).best.exists()


def test_files_that_can_not_be_written_lose_nothing_that_was_found(
    launcher: ForkserverLauncher, swept_request: Maker
) -> None:
    request = swept_request({"epochs": 1})
    AttemptPaths(Path(request.folder)).operating_point.mkdir(parents=True)
    ended = Talk(launcher.start(request)).ended
    assert ended.reason is Reason.COMPLETE
    assert "could not be written beside the weights: IsADirectoryError" in ended.detail
    assert ended.swept is not None
    assert ended.value == ended.swept.value
