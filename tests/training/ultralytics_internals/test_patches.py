from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training import environment


def test_the_environment_holds_a_font_and_turns_the_network_off(tmp_path: Path) -> None:
    variables = environment.prepare(tmp_path)
    for name in environment.FONTS:
        assert (Path(variables["YOLO_CONFIG_DIR"]) / "Ultralytics" / name).stat().st_size > 100_000
    assert variables["YOLO_OFFLINE"] == "true"
    assert variables["YOLO_AUTOINSTALL"] == "false"


def test_a_font_that_a_user_has_put_there_stays(tmp_path: Path) -> None:
    own = tmp_path / "ultralytics" / "Ultralytics" / "Arial.Unicode.ttf"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"a font with the script of the class names")
    environment.prepare(tmp_path)
    assert own.read_bytes() == b"a font with the script of the class names"


@pytest.mark.parametrize("name", ["digit", "цифра", "数字"])
def test_no_name_of_a_class_makes_a_trial_ask_the_network_for_a_font(
    launcher: ForkserverLauncher, tiny: Path, tmp_path: Path, name: str
) -> None:
    data = tmp_path / "data.yaml"
    data.write_text(f"path: {tiny.parent}\ntrain: images/train\nval: images/val\nnames: [{name}, b, c, d]\n")
    assert json.loads(launcher.call(_addresses_asked_for, str(data), 60)) == []


def _addresses_asked_for(data: str, pipe: Any, _lifeline: Any) -> None:
    """Send what is asked of the network when Ultralytics reads the data set and draws a class name."""
    import socket

    from ultralytics.data.utils import check_det_dataset
    from ultralytics.utils.plotting import Annotator

    asked: list[str] = []

    def refuse(host: str, *_arguments: Any, **_options: Any) -> None:
        asked.append(host)
        raise OSError("no network")

    socket.getaddrinfo = refuse  # type: ignore[assignment]
    names = check_det_dataset(data, autodownload=False)["names"]
    Annotator(np.zeros((64, 64, 3), np.uint8), pil=True, example=str(names)).box_label((8, 8, 40, 40), names[0])
    pipe.send_bytes(json.dumps(asked).encode())


def test_suppression_has_no_time_limit(launcher: ForkserverLauncher) -> None:
    assert launcher.call(_time_limit, "", 60) == "1000000000.0"


def _time_limit(_request: str, pipe: Any, _lifeline: Any) -> None:
    import ultralytics.utils.nms

    from hpo.training.ultralytics_internals import patches

    patches.apply(threads=1)
    pipe.send_bytes(str(ultralytics.utils.nms.non_max_suppression.keywords["max_time_img"]).encode())


def test_a_training_has_the_threads_that_it_is_given(launcher: ForkserverLauncher) -> None:
    """Ultralytics uses the machine's number of cores, not the process's own, and sets threads again at each
    training.
    """
    assert launcher.call(_threads_of_a_training, "", 60) == "3"


def _threads_of_a_training(_request: str, pipe: Any, _lifeline: Any) -> None:
    import torch
    from ultralytics.utils.torch_utils import select_device

    from hpo.training.ultralytics_internals import patches

    patches.apply(threads=3)
    select_device("cpu")
    pipe.send_bytes(str(torch.get_num_threads()).encode())


def test_results_are_read_as_polars_reads_them(tmp_path: Path) -> None:
    import polars

    from hpo.training.ultralytics_internals.yolo import columns

    table = tmp_path / "results.csv"
    table.write_text("epoch,time,train/box_loss,metrics/mAP50(B)\n1,1.5,3.7,0\n2,3,1e-05,0\n")
    with table.open(newline="") as file:
        ours = columns(csv.DictReader(file))
    assert ours == polars.read_csv(table, infer_schema_length=None).to_dict(as_series=False)
    assert [type(column[0]) for column in ours.values()] == [int, float, float, int]


@pytest.mark.parametrize(
    ("sharing", "threads", "loaders"), [(1, 8, 8), (2, 7, 8), (5, 3, 4), (10, 1, 2), (16, 1, 1), (64, 1, 1)]
)
def test_trials_that_are_trained_side_by_side_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, sharing: int, threads: int, loaders: int
) -> None:
    from hpo.training.ultralytics_internals import patches

    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(16)))
    assert patches.threads_per_trial(sharing) == threads
    assert patches.loaders_per_trial(sharing) == loaders


def test_weights_are_found_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import checks, downloads

    from hpo.training.ultralytics_internals import local_paths

    monkeypatch.setattr(checks, "clean_url", checks.clean_url)
    monkeypatch.setattr(downloads, "attempt_download_asset", downloads.attempt_download_asset)
    weights = tmp_path / "what?x #%41 o'clock" / "best.pt"
    weights.parent.mkdir()
    weights.touch()
    local_paths.allow_any_folder()
    checks.check_suffix(weights, ".pt")
    assert downloads.attempt_download_asset(str(weights)) == str(weights)
    with pytest.raises(AssertionError):
        checks.check_suffix("https://x/gone.onnx?y=best.pt", ".pt")
