"""Generated detectors: clusters of candidates around labels, with informative scores and every kind of error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.detection.predictions import ImagePredictions, Predictions, collect


@dataclass(frozen=True)
class Scene:
    images: int = 6
    candidates: int = 60
    classes: int = 3
    labels: int = 5
    seed: int = 0
    width: float = 320.0
    skill: float = 0.8
    """Share of candidates with the class of the label that they lie on; the others have any class."""
    frame: tuple[float, float, float, float, float, float] = (1.0, 1.0, 0.0, 0.0, np.inf, np.inf)


def subset(predictions: Predictions, images: Sequence[int]) -> Predictions:
    """Take some images, in the order of their indices; one may come more than once."""
    some = [_alone(predictions, image) for image in images]
    return collect(some, predictions.names, predictions.capture, suppressed=predictions.suppressed)


def _alone(whole: Predictions, image: int) -> ImagePredictions:
    own, labels = slice(*whole.offsets[image : image + 2]), slice(*whole.truth_offsets[image : image + 2])
    return ImagePredictions(
        whole.images[image],
        whole.boxes[own],
        whole.scores[own],
        whole.classes[own],
        tuple(whole.frames[image]),
        whole.truth_boxes[labels],
        whole.truth_classes[labels],
        whole.truth_areas[labels],
    )


def make(scene: Scene) -> Predictions:
    rng = np.random.default_rng(scene.seed)
    return collect(
        [_image(scene, rng, index) for index in range(scene.images)],
        [f"class{index}" for index in range(scene.classes)],
        "val",
    )


def _image(scene: Scene, rng: np.random.Generator, index: int) -> ImagePredictions:
    n, m = scene.candidates, int(rng.integers(0, scene.labels + 1))
    centres, sizes = rng.uniform(30, scene.width, (m, 2)), rng.uniform(10, 90, (m, 2))
    classes = rng.integers(0, scene.classes, m)
    near = rng.integers(0, m, n) if m else np.zeros(n, int)
    where = centres[near] + rng.normal(0, 4, (n, 2)) if m else rng.uniform(30, scene.width, (n, 2))
    extent = sizes[near] * rng.uniform(0.7, 1.3, (n, 2)) if m else rng.uniform(10, 90, (n, 2))
    own = np.where(rng.random(n) < scene.skill, classes[near] if m else 0, rng.integers(0, scene.classes, n))
    scores = rng.beta(0.4, 1.5, n).clip(0.0012, 0.999)
    return ImagePredictions(
        name=f"{index}.jpg",
        boxes=np.concatenate([where - extent / 2, where + extent / 2], 1),
        scores=scores,
        classes=own,
        frame=scene.frame,
        truth_boxes=np.concatenate([centres - sizes / 2, centres + sizes / 2], 1),
        truth_classes=classes,
        truth_areas=sizes.prod(1),
    )


def dense(images: int = 12, objects: int = 400, seed: int = 0) -> Predictions:
    """Return images with so many small objects on a grid; each is found well, and once more a little beside it."""
    rng = np.random.default_rng(seed)
    return collect([_grid(objects, rng, index) for index in range(images)], ["car", "van"], "deploy")


def _grid(objects: int, rng: np.random.Generator, index: int) -> ImagePredictions:
    across = np.arange(objects)
    centres = np.stack([across % 20, across // 20], 1) * 30.0 + rng.uniform(14, 16, (objects, 2))
    classes = (rng.random(objects) < 0.1).astype(int)
    found = np.concatenate([centres + rng.normal(0, 1, (objects, 2)), centres + rng.normal(0, 4, (objects, 2))])
    scores = np.concatenate([rng.uniform(0.3, 0.99, objects), rng.uniform(0.002, 0.4, objects)])
    return ImagePredictions(
        name=f"{index}.jpg",
        boxes=np.concatenate([found - 10, found + 10], 1),
        scores=scores,
        classes=np.concatenate([classes, classes]),
        frame=(1.0, 1.0, 0.0, 0.0, 640.0, 640.0),
        truth_boxes=np.concatenate([centres - 10, centres + 10], 1),
        truth_classes=classes,
        truth_areas=np.full(objects, 400.0),
    )
