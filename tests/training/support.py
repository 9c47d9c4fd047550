"""Detectors and datasets for measurements: some are trained, some are generated with unusual properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hpo.dataset.description import write_resolved
from tests.conftest import ROOT, SMALLEST_MODEL

CROPS = ((1.0, 427 / 480), (500 / 640, 333 / 480), (0.5, 1.0), (1.0, 1.0))
"""Shares of width and height: for an image of 640x480 they give 640x427, 500x333, a portrait and the whole image."""
NO_SHARED = "there is no shared/models beside the checkout: a model of another training is measured where there is one"


@dataclass(frozen=True)
class Subject:
    """A detector, and data that it was trained for."""

    weights: Path
    data: Path
    """Path of a data.yaml with an absolute ``path``."""
    imgsz: int


def shared() -> Path | None:
    """Return the folder ``shared`` beside the checkout or further up, or None."""
    return next((above / "shared" for above in ROOT.parents if (above / "shared" / "models").is_dir()), None)


def resolved(data: Path, folder: Path) -> Path:
    write_resolved(data, folder / "data.yaml")
    return folder / "data.yaml"


def cropped(data: Path, folder: Path, split: str = "val", most: int = 28) -> Path:
    """Cut the split's first images to several aspect ratios, with the labels that remain; return the data.yaml."""
    source = data.parent
    images = sorted((source / "images" / split).iterdir())[:most]
    for number, image in enumerate(images):
        share = CROPS[number % len(CROPS)]
        target = folder / "images" / split / f"{image.stem}.png"  # without loss
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(image) as opened:
            width, height = round(opened.width * share[0]), round(opened.height * share[1])
            size = opened.size
            opened.convert("RGB").crop((0, 0, width, height)).save(target)
        label = source / "labels" / split / f"{image.stem}.txt"
        rows = label.read_text().splitlines() if label.exists() else []
        _write(folder / "labels" / split / f"{image.stem}.txt", _cut(rows, (width / size[0], height / size[1])))
    text = "".join(line for line in data.read_text().splitlines(keepends=True) if not line.startswith("path:"))
    (folder / "original.yaml").write_text(_only(text, split))
    return resolved(folder / "original.yaml", folder)


def _only(text: str, split: str) -> str:
    """Write a data.yaml with the classes of ``text`` and with ``split`` as every split; return it."""
    names = text[text.index("names:") :]
    return f"path: .\ntrain: images/{split}\nval: images/{split}\n{names}"


def _cut(rows: list[str], share: tuple[float, float]) -> list[str]:
    kept = []
    for row in rows:
        cls, x, y, w, h = row.split()
        left, right = (min((float(x) + sign * float(w) / 2) / share[0], 1.0) for sign in (-1, 1))
        top, bottom = (min((float(y) + sign * float(h) / 2) / share[1], 1.0) for sign in (-1, 1))
        if left < 0.95 and top < 0.95:
            box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
            kept.append(" ".join([cls, *(f"{value:.8f}" for value in box)]))
    return kept


def _write(file: Path, rows: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{row}\n" for row in rows))


def untrained(file: Path, names: Sequence[str], *, score: float = 0.3, **train_args: Any) -> Path:
    """Return random weights with scores around ``score``: boxes everywhere, many of them overlapping."""
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel(str(SMALLEST_MODEL), nc=len(names), verbose=False)
    model.names = dict(enumerate(names))
    spread(model)
    for boxes, classes in zip(model.model[-1].cv2, model.model[-1].cv3, strict=True):
        for last in (boxes[-1], classes[-1]):
            torch.nn.init.normal_(last.weight, std=0.3)
        torch.nn.init.constant_(classes[-1].bias, float(np.log(score / (1 - score))))
    torch.save({"model": model, "train_args": {"imgsz": 96, "task": "detect", **train_args}}, file)
    return file


def spread(model: Any) -> None:
    """Make activations vary: without its own statistics, a fresh network gives nearly the same number everywhere."""
    import torch

    norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # plain averages
    model.train()
    with torch.no_grad():
        for _ in range(4):
            model(torch.rand(8, 3, 96, 96))
    for norm in norms:
        norm.momentum = 0.03
    model.eval()


def made_up(folder: Path, names: Sequence[str], used: Sequence[int], images: int = 12, seed: int = 0) -> Path:
    """Make noise images of several shapes, with labels of the ``used`` classes only; the third image has none."""
    random = np.random.default_rng(seed)
    for split in ("train", "val"):
        for number in range(images):
            shape = ((96, 96), (60, 96), (96, 50), (75, 130))[number % 4]
            pixels = random.integers(0, 255, (shape[0] // 4, shape[1] // 4, 3), dtype=np.uint8)
            target = folder / "images" / split / f"{number:02d}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).resize(shape[::-1]).save(target)
            boxes = [*random.uniform(0.3, 0.7, (4, 2)), *random.uniform(0.1, 0.5, (4, 2))]
            rows = [
                f"{used[k % len(used)]} {boxes[k][0]:.5f} {boxes[k][1]:.5f} {boxes[4 + k][0]:.5f} {boxes[4 + k][1]:.5f}"
                for k in range(4)
            ]
            _write(folder / "labels" / split / f"{number:02d}.txt", rows if number != 2 else [])
    listed = ", ".join(names)
    (folder / "original.yaml").write_text(f"path: .\ntrain: images/train\nval: images/val\nnames: [{listed}]\n")
    return resolved(folder / "original.yaml", folder)
