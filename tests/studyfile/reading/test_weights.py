"""Weights are known by what their pickle names, and nothing that it names runs."""

from __future__ import annotations

import pickle
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typing_extensions import override

from hpo.studyfile.checks.model import ModelFacts
from hpo.studyfile.reading import models
from hpo.trial.families import Family


class Writer:
    """Writes files in the form of torch, with objects of classes that exist only while it writes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._classes: dict[str, Any] = {}
        self._holders: dict[str, ModuleType] = {}

    def object(self, place: str, **state: Any) -> Any:
        module, _, name = place.rpartition(".")
        if place not in self._classes:
            self._classes[place] = type(name, (), {"__module__": module})
            parts = module.split(".")
            for known in (".".join(parts[: end + 1]) for end in range(len(parts))):
                if known not in self._holders:
                    self._holders[known] = ModuleType(known)
                    self._monkeypatch.setitem(sys.modules, known, self._holders[known])
            setattr(self._holders[module], name, self._classes[place])
        made = self._classes[place]()
        vars(made).update(state)
        return made

    def network(self, layer: str, *, branches: bool = False, **state: Any) -> Any:
        """Make a network of Ultralytics with such a last layer."""
        parts = OrderedDict({"one2one_cv2": 1} if branches else {})
        last = self.object(f"ultralytics.nn.modules.head.{layer}", _modules=parts)
        layers = self.object("torch.nn.modules.container.Sequential", _modules=OrderedDict({"0": 1, "1": last}))
        return self.object("ultralytics.nn.tasks.Model", _modules=OrderedDict(model=layers), **state)

    def file(self, content: Any) -> str:
        path = self._folder / "weights.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("weights/data.pkl", pickle.dumps(content, protocol=2))
        return str(path)


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    return Writer(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("layer", "branches", "family"),
    [
        ("Detect", False, Family.ONE_BRANCH),
        ("Detect", True, Family.TWO_BRANCHES),
        ("v10Detect", True, Family.TWO_BRANCHES),
        ("RTDETRDecoder", False, Family.QUERIES),
        ("WorldDetect", False, None),
        ("YOLOEDetect", True, None),
    ],
)
def test_weights_are_of_the_family_of_their_last_layer(
    writer: Writer, layer: str, family: Family | None, *, branches: bool
) -> None:
    network = writer.network(layer, branches=branches, yaml={"channels": 1})
    assert models.facts(writer.file({"model": network})) == ModelFacts("detect", layer, family, 1)


def test_the_averaged_network_is_the_one_that_counts(writer: Writer) -> None:
    found = models.facts(writer.file({"ema": writer.network("Detect"), "model": writer.network("Pose")}))
    assert found == ModelFacts("detect", "Detect", Family.ONE_BRANCH, 3)


def test_weights_of_yolov5_are_known_by_their_module(writer: Writer) -> None:
    found = models.facts(writer.file({"model": writer.object("models.yolo.DetectionModel")}))
    assert found == ModelFacts("detect", "models.yolo.DetectionModel", None)


class Bomb:
    @override
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('ran')",)


def test_no_code_of_a_file_runs(writer: Writer) -> None:
    assert models.facts(writer.file({"model": Bomb()})) is None


TOWER = b")" + b"2\x86" * 60
"""A pickle's instructions for a tuple of itself twice, 60 deep: 2**60 objects, as whoever hashes it sees them."""


@pytest.mark.parametrize(
    "instructions",
    [
        pytest.param(b"Nr\xff\xff\xff\x7f.", id="a place in the memo for which gigabytes are cleared"),
        pytest.param(b"\x96" + (1 << 62).to_bytes(8, "little") + b".", id="bytes that no machine has"),
        pytest.param(b"B" + (3 << 30).to_bytes(4, "little") + b"\0" * (1 << 20), id="bytes that are not there"),
        pytest.param(b"(" * 2000 + b"l" * 2000 + b".", id="lists in lists"),
        pytest.param(b"}" + TOWER + b"Ns.", marks=pytest.mark.long, id="a key that takes years to hash"),
    ],
)
def test_a_pickle_that_asks_for_too_much_is_left_alone_within_bounds(tmp_path: Path, instructions: bytes) -> None:
    file = tmp_path / "weights.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("weights/data.pkl", b"\x80\x05" + instructions)
    assert models.facts(str(file)) is None


def test_what_is_not_in_the_form_of_weights_is_left_to_ultralytics(tmp_path: Path, writer: Writer) -> None:
    assert models.facts(str(tmp_path / "missing.pt")) is None
    (tmp_path / "text.pt").write_text("no weights")
    assert models.facts(str(tmp_path / "text.pt")) is None
    assert models.facts(writer.file([1, 2])) is None
    assert models.facts(writer.file({"model": writer.object("mine.Network")})) is None
    assert models.facts("yolov8n.pt") is None


@pytest.mark.parametrize(
    ("name", "module", "family"),
    [
        ("yolo26n.yaml", "Detect", Family.TWO_BRANCHES),
        ("yolov10s.yaml", "v10Detect", Family.TWO_BRANCHES),
        ("rtdetr-x.yaml", "RTDETRDecoder", Family.QUERIES),
        ("yolov8m-p2.yaml", "Detect", Family.ONE_BRANCH),
        ("yolov8s-worldv2.yaml", "WorldDetect", None),
        ("yoloe-v8s.yaml", "YOLOEDetect", None),
    ],
)
def test_a_yaml_is_of_the_family_of_its_last_layer(name: str, module: str, family: Family | None) -> None:
    assert models.facts(name) == ModelFacts("detect", module, family)
