"""Unusable weights give one clear error, and their author's code never runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typing_extensions import override

from hpo.errors import UsageError
from tests.training.support import Subject, untrained

pytestmark = pytest.mark.usefixtures("ultralytics")


def load(file: Path, **options: bool) -> Any:
    from hpo.training.ultralytics_internals import weights

    return weights.load(file, **options)


class Canary:
    """Unpickling it makes the file ``seen``."""

    def __init__(self, seen: Path) -> None:
        self.seen = seen

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.seen}'",)


def saved(what: Any, file: Path) -> Path:
    import torch

    torch.save(what, file)
    return file


def test_what_a_capture_needs_to_know_is_read_from_the_file(digits: Subject) -> None:
    from hpo.files import digest

    weights = load(digits.weights)
    assert weights.names == ("zero", "one", "four", "seven")
    assert weights.imgsz == 96
    assert weights.sha256 == digest(digits.weights)
    assert not weights.suppressed
    assert not weights.single_cls


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    file = saved({"model": Canary(tmp_path / "seen")}, tmp_path / "weights.pt")
    with pytest.raises(UsageError, match=r"could run code: it refers to posix.system.*--trust"):
        load(file)
    assert not (tmp_path / "seen").exists()


def test_trust_unpickles_what_is_there(tmp_path: Path) -> None:
    file = saved({"model": Canary(tmp_path / "seen")}, tmp_path / "weights.pt")
    with pytest.raises(UsageError, match="holds no model"):
        load(file, trust=True)
    assert (tmp_path / "seen").exists()


def test_trust_ends_with_the_file_it_was_given_for(tmp_path: Path) -> None:
    names = ["a", "b"]
    load(untrained(tmp_path / "mine.pt", names), trust=True)
    file = saved({"model": Canary(tmp_path / "seen")}, tmp_path / "other.pt")
    with pytest.raises(UsageError, match="could run code"):
        load(file)
    assert not (tmp_path / "seen").exists()


def test_a_plain_pickle_never_runs(tmp_path: Path) -> None:
    import pickle

    (tmp_path / "weights.pt").write_bytes(pickle.dumps(Canary(tmp_path / "seen")))
    for trust in (False, True):
        with pytest.raises(UsageError, match="no file of weights"):
            load(tmp_path / "weights.pt", trust=trust)
    assert not (tmp_path / "seen").exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_that_is_cut_off_says_so(digits: Subject, tmp_path: Path, share: float) -> None:
    whole = digits.weights.read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UsageError, match=r"cut\.pt: is empty, cut off or no file of weights; copy it again"):
        load(tmp_path / "cut.pt")


def test_a_file_that_is_damaged_inside_is_not_taken_for_a_hostile_one(digits: Subject, tmp_path: Path) -> None:
    damaged = bytearray(digits.weights.read_bytes())
    damaged[1000 : len(damaged) // 2] = bytes(len(damaged) // 2 - 1000)
    (tmp_path / "weights.pt").write_bytes(damaged)
    with pytest.raises(UsageError, match="cut off or no file of weights"):
        load(tmp_path / "weights.pt")


def test_what_is_no_file_or_no_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"nothing\.pt: no such file"):
        load(tmp_path / "nothing.pt")
    with pytest.raises(UsageError, match=r"model\.onnx: weights are read from a \.pt file"):
        load(tmp_path / "model.onnx")
    with pytest.raises(UsageError, match="holds no model"):
        load(saved({"epoch": 3}, tmp_path / "other.pt"))


@pytest.mark.parametrize(
    ("yaml", "head"), [("yolov8n-cls.yaml", "Classify"), ("yolov8n-seg.yaml", "Segment"), ("yolov8n-obb.yaml", "OBB")]
)
def test_weights_of_another_task_are_no_detector(tmp_path: Path, yaml: str, head: str) -> None:
    from ultralytics import YOLO

    YOLO(yaml).save(str(tmp_path / "weights.pt"))
    with pytest.raises(UsageError, match=rf"is no YOLO detector \(its task is \w+, its head {head}\)"):
        load(tmp_path / "weights.pt")


@pytest.mark.parametrize("name", ["mine.pt", "yolov5s.pt"])
@pytest.mark.parametrize("trust", [False, True])
def test_weights_of_the_yolov5_repository_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, trust: bool
) -> None:
    """By the second name Ultralytics would load other weights, or try to download them."""
    module = ModuleType("models.yolo")
    setattr(module, "DetectionModel", type("DetectionModel", (), {"__module__": "models.yolo"}))  # noqa: B010
    with monkeypatch.context() as there:
        there.setitem(sys.modules, "models", ModuleType("models"))
        there.setitem(sys.modules, "models.yolo", module)
        saved({"model": module.DetectionModel()}, tmp_path / name)
    with pytest.raises(UsageError, match="of the yolov5 repository"):
        load(tmp_path / name, trust=trust)


def test_data_of_other_classes_is_refused_with_the_differences(tmp_path: Path) -> None:
    from hpo.training.ultralytics_internals.weights import check_classes

    weights = load(untrained(tmp_path / "weights.pt", ["cat", "dog", "cow"]))
    check_classes(weights, ["cat", "dog", "cow"], Path("data.yaml"))
    with pytest.raises(UsageError) as refused:
        check_classes(weights, ["cat", "cow"], Path("data.yaml"))
    assert "1: 'cow' in the data, 'dog' in the weights" in str(refused.value)
    assert "2: none in the data, 'cow' in the weights" in str(refused.value)
    assert "0:" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_many_differences_are_counted(tmp_path: Path) -> None:
    from hpo.training.ultralytics_internals.weights import check_classes

    weights = load(untrained(tmp_path / "weights.pt", [f"old{index}" for index in range(80)]))
    with pytest.raises(UsageError, match=r"9: 'new9' in the data, 'old9' in the weights; and 70 more\)"):
        check_classes(weights, [f"new{index}" for index in range(80)], Path("data.yaml"))


def test_weights_that_know_one_class_for_all_fit_any_data(tmp_path: Path) -> None:
    from hpo.training.ultralytics_internals.weights import check_classes

    weights = load(untrained(tmp_path / "weights.pt", ["item"], single_cls=True))
    check_classes(weights, ["cat", "dog"], Path("data.yaml"))


def test_images_of_another_number_of_channels_are_refused(tmp_path: Path) -> None:
    from hpo.training.ultralytics_internals.weights import check_channels

    weights = load(untrained(tmp_path / "weights.pt", ["cat"]))
    check_channels(weights, 3, Path("data.yaml"))
    with pytest.raises(UsageError, match=r"data\.yaml: its images have 1 channels .*weights\.pt takes 3"):
        check_channels(weights, 1, Path("data.yaml"))
