"""An ``operating_point.json`` may be anyone's: what no detector can be used with is refused in words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hpo.errors import UsageError
from hpo.trial.handed_over import document, read_point
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import DEFAULT, OperatingPoint

POINT = OperatingPoint(iou=None, conf=0.3, kind=Kind.SOFT, sigma=0.5, per_class_conf=(0.3, 1.0))


@pytest.mark.parametrize("point", [DEFAULT, POINT])
def test_a_point_of_ours_comes_back(tmp_path: Path, point: OperatingPoint) -> None:
    file = tmp_path / "operating_point.json"
    file.write_text(json.dumps(document(point, 64, "a test", None)))
    assert read_point(file) == (point, 64)


WRONG: dict[str, list[Any]] = {
    "conf": [float("nan"), float("inf"), -0.1, 1e308, "0.3", True, None],
    "iou": [2, "x", []],
    "max_det": [0, -1, 10**18, 1.5, True, "300"],
    "sigma": [0, float("inf"), "x"],
    "per_class_conf": [[2], ["x"], "xy", 3],
    "imgsz": [0, 10**9, "640", 1e308],
    "kind": ["nice"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_value_that_no_detector_can_be_used_with_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    file = tmp_path / "operating_point.json"
    whole = document(POINT, 64, "a test", None)
    (whole if name == "imgsz" else whole["point"])[name] = value
    file.write_text(json.dumps(whole))
    with pytest.raises(UsageError, match=r"is no operating_point\.json of hpo promote"):
        read_point(file)


def test_a_file_without_end_or_of_any_depth_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "operating_point.json"
    os.mkfifo(file)
    for wrong in (Path("/dev/zero"), file):
        with pytest.raises(UsageError, match="no such file"):
            read_point(wrong)
    file.unlink()
    for content in (b"[" * 1_000_000, b"\xff\xfe", b'{"point": {}}', b"9" * 10_000):
        file.write_bytes(content)
        with pytest.raises(UsageError, match="make it anew"):
            read_point(file)
    os.truncate(file, 1 << 40)
    with pytest.raises(UsageError, match="larger than"):
        read_point(file)
