"""One inference pass over a split: a detector's raw predictions and the labels, in the form that ``hpo.detection``
takes.

Under ``deploy`` everything is as ``model.predict`` sees it: each image is letterboxed by itself, a box has one label,
and labels are in pixels of the original image. Under ``val`` everything is as ``model.val`` sees it: the images of a
batch share a shape, a box has every label, and labels are in pixels of the network's input. For RT-DETR both stretch
each image to a square. Images and labels come from Ultralytics' own dataset, so what it repairs, drops or counts once
is treated alike. Nothing is suppressed, and no metric is computed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import ultralytics.data.base
from numpy.typing import NDArray
from typing_extensions import override
from ultralytics.cfg import get_cfg
from ultralytics.data import build_yolo_dataset
from ultralytics.data.utils import check_det_dataset
from ultralytics.engine.predictor import BasePredictor
from ultralytics.models.rtdetr import RTDETRPredictor
from ultralytics.models.yolo.detect import DetectionPredictor
from ultralytics.utils.checks import check_imgsz

from hpo.detection.predictions import MAX_CANDIDATES, ImagePredictions, Predictions, collect, common_folder
from hpo.errors import UsageError
from hpo.training.ultralytics_internals.candidates import (
    IDENTITY,
    Frame,
    KeepsCandidates,
    KeepsQueries,
    candidates_of,
    candidates_of_queries,
    labelled,
)
from hpo.training.ultralytics_internals.facts import of_network
from hpo.trial.families import Family

Progress = Callable[[int, int], None]
"""Called with the number of images that are done, and the number of all."""
CPU_BATCH_PIXELS = 350_000
"""Number of pixels in a batch that is quickest on a CPU.

Eight images of 224 x 192 together take 30% less time than one by one, those of 640 x 512 30% more (YOLOv8n, one
thread).
"""
MOST = 16
"""Largest number of images in a batch."""
VAL_BATCH = 16
"""Ultralytics' default batch. It is part of what ``model.val`` sees, because the images of a batch share one shape."""
_Waiting = tuple[dict[str, Any], torch.Tensor, tuple[int, int]]
"""An image before its inference: its label from the dataset, the network's input (1, 3, h, w), and (height, width)."""


def _silent(_done: int, _images: int) -> None:
    return


@dataclass(frozen=True)
class InferencePass:
    """The split, the image size and the device of a pass."""

    data: Path
    """Path of a data.yaml with an absolute ``path`` (``hpo.dataset.description.write_resolved``)."""
    split: str
    """Split: ``train``, ``val`` or ``test``."""
    imgsz: int
    """Image size in pixels; rounded up to the model's stride, as Ultralytics does."""
    device: str = "auto"
    """``auto`` (first GPU, else CPU), ``cpu``, or a CUDA index such as ``0``."""
    single_cls: bool = False
    """Whether all labels count as class 0, as in the training of the weights."""
    end2end: bool = False
    """Whether the branch of the head is used that needs no suppression (``nms=False`` of Ultralytics)."""
    multi_label: bool = True
    """Whether, under ``val``, a box has every label, as in ``model.val``; else only the best one."""
    classes: frozenset[int] | None = None
    """Indices of the classes whose labels count; None for every class."""
    progress: Progress = _silent


def capture(model: Any, mode: str, over: InferencePass) -> Predictions:
    """Return the predictions of ``model`` (Ultralytics' ``DetectionModel``, not changed) in ``mode``: ``deploy`` or
    ``val``.

    Images come in the order of their names. Raises UsageError for a split that the data.yaml does not name, an image
    that can't be read, a device that does not exist, and scores that are no numbers; the last error names the image.
    """
    if mode not in ("deploy", "val"):
        raise ValueError(f"capture {mode!r}: must be deploy or val")
    return _deploy(model, over) if mode == "deploy" else _val(model, over)


def _deploy(model: Any, over: InferencePass) -> Predictions:
    kind = RTDETRPredictor if _has_queries(model) else DetectionPredictor
    with tempfile.TemporaryDirectory() as folder:
        predictor = kind(overrides=_arguments(over, folder, mode="predict", conf=0.25))
    predictor.setup_model(model=model, verbose=False)
    predictor.imgsz = check_imgsz(over.imgsz, stride=predictor.model.stride, min_dim=2)
    if predictor.model.end2end:  # a training may have left its own; these are what the predictor sets
        predictor.model.model.set_head_attr(max_det=predictor.args.max_det, agnostic_nms=False)
    names = predictor.model.names
    dataset = dataset_of(over, len(names))
    suppressed = bool(predictor.model.end2end) or predictor.scale_fill
    images = sorted(_predicted(predictor, dataset, over), key=lambda image: image.name)
    with broken_weights_named():
        return collect(images, [str(names[index]) for index in range(len(names))], "deploy", suppressed=suppressed)


@contextmanager
def broken_weights_named() -> Iterator[None]:
    """Turn what ``collect`` says of an image into an error for the user."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


@torch.inference_mode()
def _predicted(predictor: BasePredictor, dataset: Any, over: InferencePass) -> Iterator[ImagePredictions]:
    """Yield the predictions. Images of one input shape share a batch; to rounding, the network sees each alone."""
    folder = common_folder(dataset.im_files)
    batches: dict[tuple[int, ...], list[_Waiting]] = {}
    for done, label in enumerate(dataset.labels, start=1):
        original = _read(label["im_file"], dataset.cv2_flag)
        pixels = predictor.preprocess([original])
        batch = batches.setdefault(tuple(pixels.shape), [])
        batch.append((label, pixels, original.shape[:2]))
        if len(batch) == batch_size(pixels):
            yield from _inferred(predictor, batches.pop(tuple(pixels.shape)), folder)
        over.progress(done, len(dataset.labels))
    for batch in batches.values():
        yield from _inferred(predictor, batch, folder)


def batch_size(pixels: torch.Tensor) -> int:
    """Return the number of images like ``pixels`` (1, 3, h, w) that are inferred at once."""
    if pixels.device.type != "cpu":
        return MOST
    return min(MOST, max(1, CPU_BATCH_PIXELS // (pixels.shape[2] * pixels.shape[3])))


def _inferred(predictor: BasePredictor, batch: list[_Waiting], folder: str) -> Iterator[ImagePredictions]:
    output = predictor.model(torch.cat([pixels for _, pixels, _ in batch]))
    if isinstance(predictor, RTDETRPredictor):
        found = candidates_of_queries(output, [shape for _, _, shape in batch])
        for (label, _, shape), candidates in zip(batch, found, strict=True):
            yield labelled(label, folder, shape, candidates, IDENTITY)
        return
    found = candidates_of(output, multi_label=False, end2end=bool(predictor.model.end2end))
    for (label, pixels, shape), candidates in zip(batch, found, strict=True):
        yield labelled(label, folder, shape, candidates, frame(pixels.shape[2:], shape))


def _read(file: str, flag: int) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] | None = ultralytics.data.base.imread(file, flags=flag)  # as a training reads it
    if image is None:
        raise UsageError(f"{file}: can't be read as an image; repair it or take it out of the data")
    return image


def frame(network: Sequence[int], original: tuple[int, int]) -> Frame:
    """Return how a box of the network's input (height, width ``network``) maps to the image (height, width
    ``original``).

    The result is (gain_x, gain_y, pad_x, pad_y, width, height), as in ``ops.scale_boxes`` of ultralytics 8.4.190.
    """
    gain = min(network[0] / original[0], network[1] / original[1])
    height, width = (max(round(side * gain), 1) for side in original)
    pad_x, pad_y = round((network[1] - width) / 2 - 0.1), round((network[0] - height) / 2 - 0.1)
    return width / original[1], height / original[0], pad_x, pad_y, original[1], original[0]


def dataset_of(over: InferencePass, classes: int) -> Any:
    """Return Ultralytics' dataset of the split; only its labels are used, not the images that it would resize.

    ``classes``: number of classes of the weights.
    """
    described = _described(over)
    own = {"imgsz": over.imgsz, "single_cls": over.single_cls, "classes": _listed(over.classes)}
    arguments = get_cfg(overrides={"task": "detect", **own})
    dataset = build_yolo_dataset(arguments, described[over.split], 1, described, mode="val", fraction=1.0)
    if classes < described["nc"]:  # as in DetectionValidator.get_dataloader
        dataset.update_labels(list(range(classes)))
    return dataset


def _described(over: InferencePass) -> dict[str, Any]:
    described: dict[str, Any] = check_det_dataset(str(over.data), autodownload=False)
    if not described.get(over.split):
        raise UsageError(f"{over.data}: there is no split {over.split!r}; add the key, or choose another split")
    return described


def _has_queries(model: Any) -> bool:
    return of_network(model).family is Family.QUERIES


class _Capture(KeepsCandidates):
    """A validation that ends where Ultralytics' suppression would begin."""

    def __init__(self, over: InferencePass, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._over = over
        self.multi_label = over.multi_label

    @override
    def postprocess(self, preds: Any) -> Any:
        self.candidates.see(preds)
        return []

    @override
    def update_metrics(self, preds: Any, batch: dict[str, Any]) -> None:
        self.candidates.add(batch)
        self._over.progress(len(self.candidates), len(self.dataloader.dataset))

    @override
    def get_stats(self) -> dict[str, Any]:
        return {}

    @override
    def finalize_metrics(self) -> None:
        return

    @override
    def print_results(self) -> None:
        return


class _QueriesCapture(_Capture, KeepsQueries):
    """The same for RT-DETR, whose images are stretched instead of letterboxed."""


def _val(model: Any, over: InferencePass) -> Predictions:
    _described(over)
    kind = _QueriesCapture if _has_queries(model) else _Capture
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(over, folder, mode="val", batch=VAL_BATCH, data=str(over.data), split=over.split)
        validator = kind(over, save_dir=Path(folder), args=arguments)
        validator(model=model)
    with broken_weights_named():
        return validator.candidates.predictions()


def _arguments(over: InferencePass, folder: str, **further: Any) -> dict[str, Any]:
    fixed = {"task": "detect", "rect": True, "plots": False, "verbose": False}
    nms = False if over.end2end else None
    own = {"imgsz": over.imgsz, "device": device(over.device), "single_cls": over.single_cls, "nms": nms}
    # a head without suppression puts out its best `max_det` boxes alone, and a sweep cuts them itself
    most = {"max_det": MAX_CANDIDATES} if over.end2end else {}
    return {**fixed, **own, **most, "classes": _listed(over.classes), "save_dir": folder, **further}


def _listed(classes: frozenset[int] | None) -> list[int] | None:
    return None if classes is None else sorted(classes)


def device(asked: str) -> str:
    """Resolve ``auto`` in ``asked``. Raises UsageError for a GPU that does not exist."""
    if asked == "cpu":
        return asked
    gpus = torch.cuda.device_count()
    if asked == "auto":
        return "0" if gpus else "cpu"
    if not (asked.isdigit() and int(asked) < gpus):
        indices = f", or an index from 0 to {gpus - 1}" if gpus else ""
        raise UsageError(f"device {asked}: this machine has {gpus} GPUs; choose auto or cpu{indices}")
    return asked
