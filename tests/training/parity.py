"""Ultralytics' own validation and prediction, recorded and compared with the results from captured predictions."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hpo.detection.apply import Detections, detections
from hpo.detection.predictions import Predictions
from hpo.detection.rating import measure
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, OperatingPoint
from hpo.trial.vocabulary import Metric
from tests.detection.scenes import subset
from tests.training.support import Subject

EXACT = 1e-12
CLOSE = 1e-5
"""Tolerance at a threshold: inference rounds differently for batches and for single images."""


@dataclass
class Seen:
    """The data of one image in ``model.val``."""

    boxes: NDArray[Any]
    scores: NDArray[Any]
    classes: NDArray[Any]
    true_positive: NDArray[Any]


@dataclass
class Validation:
    images: list[tuple[str, Seen]]
    """Images in the order of the validation."""
    target_cls: NDArray[Any]
    metrics: Any


def validated(
    subject: Subject, point: OperatingPoint, folder: Path, *, multi_label: bool = True, **further: Any
) -> Validation:
    """Run ``model.val`` at the point and return its recorded data."""
    from ultralytics import YOLO
    from ultralytics.utils import nms

    model = YOLO(subject.weights)
    validator: Any = model._smart_load("validator")
    images: list[tuple[str, Seen]] = []
    targets: list[NDArray[Any]] = []

    class Overheard(validator):  # of the model's own kind
        def postprocess(self, preds: Any) -> Any:
            if multi_label:
                return super().postprocess(preds)
            args, agnostic = self.args, self.args.single_cls or self.args.agnostic_nms
            rows = nms.non_max_suppression(preds, args.conf, args.iou, agnostic=agnostic, max_det=args.max_det)
            return [{"bboxes": x[:, :4], "conf": x[:, 4], "cls": x[:, 5], "extra": x[:, 6:]} for x in rows]

        def update_metrics(self, preds: Any, batch: Any) -> None:
            for index, pred in enumerate(preds):
                truth = self._prepare_batch(index, batch)
                tp = self._process_batch(pred, truth)["tp"]
                boxes, scores, classes = (pred[name].numpy().copy() for name in ("bboxes", "conf", "cls"))
                images.append((Path(truth["im_file"]).name, Seen(boxes, scores, classes, tp)))
                targets.append(truth["cls"].numpy())
            super().update_metrics(preds, batch)

    metrics = model.val(
        validator=Overheard,
        data=str(subject.data),
        imgsz=subject.imgsz,
        conf=point.conf,
        iou=DEFAULT.iou if point.iou is None else point.iou,
        max_det=point.max_det,
        agnostic_nms=point.agnostic_nms,
        device="cpu",
        plots=False,
        verbose=False,
        save_dir=str(folder),
        **further,
    )
    return Validation(images, np.concatenate(targets), metrics)


def captured(subject: Subject, mode: str, *, multi_label: bool = True) -> Predictions:
    from hpo.training.ultralytics_internals.capture import InferencePass, capture
    from hpo.training.ultralytics_internals.weights import load

    weights = load(subject.weights)
    over = InferencePass(
        subject.data,
        "val",
        subject.imgsz,
        "cpu",
        single_cls=weights.single_cls,
        end2end=weights.suppressed,
        multi_label=multi_label,
    )
    return capture(weights.model, mode, over)


def of_images(predictions: Predictions, point: OperatingPoint) -> dict[str, Detections]:
    return dict(zip(predictions.images, detections(predictions, point), strict=True))


def check_val(subject: Subject, point: OperatingPoint, folder: Path, predictions: Predictions, **further: Any) -> None:
    """Check that detections and true positives are identical and metrics agree within 1e-12."""
    from ultralytics.utils.metrics import ap_per_class

    theirs, ours = validated(subject, point, folder, **further), of_images(predictions, point)
    assert {name for name, _ in theirs.images} == set(ours)
    for name, seen in theirs.images:
        own = ours[name]
        assert np.array_equal(own.scores, seen.scores), (name, point)
        assert np.array_equal(own.boxes, seen.boxes), (name, point)
        assert np.array_equal(own.classes, seen.classes), (name, point)
        assert np.array_equal(own.true_positive, seen.true_positive), (name, point)
    order = [ours[name] for name, _ in theirs.images]
    columns = [
        np.concatenate([getattr(one, field) for one in order]) for field in ("true_positive", "scores", "classes")
    ]
    _, _, precision, recall, f1, ap, *_ = ap_per_class(*columns, theirs.target_cls)
    box = theirs.metrics.box
    assert precision.mean() == pytest.approx(box.mp, abs=EXACT)
    assert recall.mean() == pytest.approx(box.mr, abs=EXACT)
    assert f1.mean() == pytest.approx(np.mean(box.f1), abs=EXACT)
    assert (ap[:, 0].mean(), ap.mean()) == pytest.approx((box.map50, box.map), abs=EXACT)
    scores = measure(predictions, point, Objective(Metric.F1))[0].scores
    assert (scores["map50"], scores["map50_95"]) == pytest.approx((box.map50, box.map), abs=EXACT)
    counted = counts([seen for _, seen in theirs.images], theirs.target_cls)
    assert [scores[name] for name in ("precision", "recall", "f1")] == pytest.approx(counted, abs=1e-4)


def counts(images: list[Seen], target_cls: NDArray[Any]) -> list[float]:
    """Return macro precision, recall and F1, counted one detection at a time."""
    true: dict[int, int] = defaultdict(int)
    found: dict[int, int] = defaultdict(int)
    for seen in images:
        for cls, hit in zip(seen.classes, seen.true_positive, strict=True):
            found[int(cls)] += 1
            true[int(cls)] += bool(hit[0])
    return macro(true, found, [int(cls) for cls in target_cls])


def macro(true: dict[int, int], found: dict[int, int], labels: list[int]) -> list[float]:
    of_class = [(true[cls], found[cls], labels.count(cls)) for cls in sorted(set(labels))]
    precision = [tp / n if n else 0.0 for tp, n, _ in of_class]
    recall = [tp / g for tp, _, g in of_class]
    f1 = [2 * tp / (n + g) for tp, n, g in of_class]
    return [sum(column) / len(column) for column in (precision, recall, f1)]


def counted(subject: Subject, point: OperatingPoint, **further: Any) -> list[float]:
    """Return macro precision, recall and F1 by counting what ``model.predict`` finds, one by one, without the capture.

    Labels are read from their files.
    """
    true: dict[int, int] = defaultdict(int)
    found: dict[int, int] = defaultdict(int)
    labels: list[int] = []
    theirs = predicted(subject, point, **further)
    for image in sorted(images_of(subject).iterdir()):
        boxes, classes = labels_of(image)
        labels += classes
        for cls, hit in matched(theirs[image.name], boxes, classes):
            found[cls] += 1
            true[cls] += hit
    return macro(true, found, labels)


def predicted(subject: Subject, point: OperatingPoint, **further: Any) -> dict[str, Any]:
    """Return the results of ``model.predict`` for each image of the split, one after another."""
    from ultralytics import YOLO

    results = YOLO(subject.weights).predict(
        source=str(images_of(subject)),
        imgsz=subject.imgsz,
        conf=point.conf,
        iou=DEFAULT.iou if point.iou is None else point.iou,
        max_det=point.max_det,
        agnostic_nms=point.agnostic_nms,
        device="cpu",
        verbose=False,
        **further,
    )
    return {Path(result.path).name: result.boxes.data.numpy() for result in results}


def images_of(subject: Subject) -> Path:
    from hpo.dataset.source import read

    return read(subject.data).splits["val"][0]


def same(ours: Detections, theirs: NDArray[Any]) -> bool:
    """Return whether each detection of one has a match in the other; equal scores may be in another order."""
    if len(ours.scores) != len(theirs):
        return False
    free = set(range(len(theirs)))
    for box, score, cls in zip(ours.boxes, ours.scores, ours.classes, strict=True):
        like = [
            k
            for k in free
            if cls == theirs[k, 5] and abs(score - theirs[k, 4]) < CLOSE and np.abs(box - theirs[k, :4]).max() < 0.01
        ]
        if not like:
            return False
        free.remove(like[0])
    return True


def on_the_edge(predictions: Predictions, image: int, point: OperatingPoint) -> list[str]:
    """Return the scores and overlaps of an image that lie within 1e-5 of the point's thresholds."""
    import torch
    from torchvision.ops import box_iou

    own = subset(predictions, [image])
    found = [f"score {score:.7f}" for score in own.scores if abs(score - point.conf) < CLOSE]
    above = own.scores > point.conf - CLOSE
    boxes, classes = torch.from_numpy(own.boxes[above]), own.classes[above]
    overlaps = box_iou(boxes, boxes).numpy()
    if point.iou is not None:
        rows, columns = np.nonzero(np.triu(np.abs(overlaps - point.iou) < CLOSE, 1))
        same_class = point.agnostic_nms | (classes[rows] == classes[columns])
        pairs = zip(rows[same_class], columns[same_class], strict=True)
        found += [f"overlap {overlaps[one, other]:.7f}" for one, other in pairs]
    ordered = np.sort(own.scores)[::-1]
    if point.max_det < len(ordered):
        found += [
            f"scores {a:.7f}, {b:.7f}" for a, b in itertools.pairwise(ordered) if a - b < CLOSE and a > point.conf
        ]
    return found


def check_predict(subject: Subject, point: OperatingPoint, predictions: Predictions, **further: Any) -> list[str]:
    """Check that the detections equal those of ``model.predict``.

    Returns a line for each image whose detections differ because of a value on a threshold.
    """
    theirs, listed = predicted(subject, point, **further), []
    assert set(theirs) == set(predictions.images)
    for index, (name, ours) in enumerate(of_images(predictions, point).items()):
        if not same(ours, theirs[name]):
            edges = on_the_edge(predictions, index, point)
            assert edges, (name, point, len(ours.scores), len(theirs[name]))
            listed.append(f"{name} at {point}: {', '.join(edges)}")
    return listed


def labels_of(image: Path) -> tuple[list[list[float]], list[int]]:
    from PIL import Image

    with Image.open(image) as opened:
        width, height = opened.size
    file = Path(str(image.parent).replace("images", "labels")) / f"{image.stem}.txt"
    rows = sorted({line for line in (file.read_text().splitlines() if file.exists() else []) if line.strip()})
    numbers = [[float(value) for value in row.split()] for row in rows]
    boxes = [
        [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
        for _, x, y, w, h in numbers
    ]
    return boxes, [int(row[0]) for row in numbers]


def matched(rows: NDArray[Any], boxes: list[list[float]], classes: list[int]) -> list[tuple[int, bool]]:
    """Return class and truth of each detection at IoU 0.5, the best scores first."""
    free, out = set(range(len(boxes))), []
    for x1, y1, x2, y2, _, cls in sorted(rows.tolist(), key=lambda row: -row[4]):
        overlaps = {k: _iou([x1, y1, x2, y2], boxes[k]) for k in free if classes[k] == int(cls)}
        best = max(overlaps, key=lambda k: overlaps[k], default=None)
        hit = best is not None and overlaps[best] >= 0.5
        if hit and best is not None:
            free.remove(best)
        out.append((int(cls), hit))
    return out


def _iou(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    sizes = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(sizes) - width * height)
