"""Detection weights from a file, without running code from a pickle, and the facts that a capture needs."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ultralytics.nn import tasks

from hpo import files
from hpo.errors import UsageError
from hpo.training.ultralytics_internals import local_paths, safe_loading
from hpo.training.ultralytics_internals.facts import NetworkFacts, of_network
from hpo.trial.classes import trained
from hpo.trial.families import Family

_MOST_DIFFERENCES = 10
_OF_YOLOV5 = b"cmodels.yolo\n"
"""The pickle's instruction that takes a class of the repository's module."""
_TRUST = "load it with --trust (in Python: trust=True)"


@dataclass(frozen=True)
class Weights:
    """A detector that was read from a file."""

    path: Path
    sha256: str
    model: Any
    """Ultralytics' ``DetectionModel``, fp32, in evaluation mode, on the CPU, layers not fused."""
    names: tuple[str, ...]
    """Names of the classes, by index."""
    imgsz: int
    """Image size of the training, in pixels."""
    single_cls: bool
    """Whether the training took all classes as one: labels are then of class 0, whatever the data.yaml calls them."""
    classes: frozenset[int] | None
    """Indices of the classes that were trained; None for every class."""
    family: Family

    @property
    def suppressed(self) -> bool:
        """Whether nothing is left to suppress: the branch that needs no NMS is used (YOLOv10, YOLO26), or RT-DETR."""
        return not self.family.row.has_nms


def load(path: Path, *, trust: bool = False) -> Weights:
    """Read the weights ``path`` with Ultralytics' safe loading, which refuses to run what is no part of a model.

    With ``trust`` the file is unpickled without restriction, and can run any code of its author. Raises UsageError
    where it is no file, damaged, holds what safe loading refuses, or is no YOLO detector.
    """
    if not path.is_file():
        raise UsageError(
            f"{path}: no such file; name the weights of a detector, such as runs/detect/train/weights/best.pt"
        )
    sha256 = files.digest(path)
    model = _model(path, trust=trust)
    family = _family(path, model)
    names = model.names if isinstance(model.names, dict) else dict(enumerate(model.names))
    ordered = tuple(str(names[index]) for index in range(len(names)))
    single_cls = bool(model.args.get("single_cls"))
    classes = trained(model.args.get("classes"))
    of = (path, sha256, model, ordered, _imgsz(model.args))
    return Weights(*of, single_cls=single_cls, classes=classes, family=family)


def check_classes(weights: Weights, names: Sequence[str], yaml: Path) -> None:
    """Refuse data with other classes (``names``, of the data.yaml ``yaml``) than those of the weights, in their order.

    Weights that have one class for all fit any data. Raises UsageError with the differences.
    """
    if weights.single_cls or tuple(names) == weights.names:
        return
    differences = [
        f"{index}: {_name(ours)} in the data, {_name(theirs)} in the weights"
        for index, (ours, theirs) in enumerate(zip_longest(names, weights.names))
        if ours != theirs
    ]
    more = len(differences) - _MOST_DIFFERENCES
    listed = "; ".join(differences[:_MOST_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")
    raise UsageError(
        f"{yaml}: its classes are not those that {weights.path} knows ({listed}); name the data.yaml that the weights "
        "were trained with, or one with the same names in the same order"
    )


def check_channels(weights: Weights, channels: int, yaml: Path) -> None:
    """Refuse images of another number of channels than the weights take. Raises UsageError."""
    taken = int(weights.model.yaml.get("channels") or 3)
    if taken != channels:
        raise UsageError(
            f"{yaml}: its images have {channels} channels (key `channels`), {weights.path} takes {taken}; name data or "
            f"weights of the same number"
        )


def _name(name: str | None) -> str:
    return "none" if name is None else repr(name)


def _imgsz(arguments: dict[str, Any]) -> int:
    size = arguments.get("imgsz") or 640
    return int(max(size) if isinstance(size, (list, tuple)) else size)


def _model(path: Path, *, trust: bool) -> Any:
    if path.suffix != ".pt":
        raise UsageError(f"{path}: weights are read from a .pt file of Ultralytics; exported models can't be swept")
    if not zipfile.is_zipfile(path):
        raise safe_loading.damaged(path)
    safe_loading.refuse_bomb(path)
    _refuse_yolov5(path)
    try:
        local_paths.allow_any_folder()
        with safe_loading.in_block(on=not trust):
            model, _ = tasks.load_checkpoint(str(path))
    except Exception as error:  # whatever Ultralytics raises on a broken file is the user's answer
        raise safe_loading.explained(path, error, _TRUST) from error
    return model


def _refuse_yolov5(path: Path) -> None:
    """Refuse weights of the yolov5 repository. By their name Ultralytics may load other weights in their place."""
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [archive.read(name) for name in archive.namelist() if name.endswith("/data.pkl")]
    except (OSError, zipfile.BadZipFile) as error:
        raise safe_loading.damaged(path) from error
    if any(_OF_YOLOV5 in pickled for pickled in pickles):
        raise UsageError(
            f"{path}: is of the yolov5 repository (its pickle names models.yolo), whose code it needs; train anew with "
            "Ultralytics, whose own weights are called yolov5nu.pt, yolov5su.pt, ..."
        )


def _family(path: Path, model: Any) -> Family:
    layers = getattr(model, "model", None)
    network = layers is not None and hasattr(layers, "__getitem__")
    facts = of_network(model) if network else NetworkFacts(type(model).__name__, None)
    if facts.family is not None:
        return facts.family
    task = getattr(model, "task", None) or "unknown"
    found = f"its task is {task}, its head {facts.module}"
    raise UsageError(f"{path}: is no YOLO detector ({found}); name the weights of a detection training")
