"""What the sweep costs, on one thread, against `model.val`: CPU seconds, the best of several rounds in turn.

    python benchmarks/sweep.py [--weights W.pt --data data.yaml] [--rounds 5] [--skip-large]

Without arguments it looks for models/bccd-yolov8n-224.pt and data/bccd in a folder `shared` beside the checkout.
"""

# ruff: noqa: E402  (threads and Ultralytics' folder are settled by the environment, before anything is imported)
from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hpo.training import environment

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
os.environ.update(environment.prepare(Path(tempfile.mkdtemp())))

import torch
from typing_extensions import override
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionValidator

from hpo.dataset.description import write_resolved
from hpo.detection.curves import Labels, curve
from hpo.detection.events import Events, every
from hpo.detection.predictions import ImagePredictions, Predictions, collect
from hpo.detection.sweep import sweep
from hpo.training.ultralytics_internals import patches, weights
from hpo.training.ultralytics_internals.candidates import IDENTITY, candidates_of
from hpo.training.ultralytics_internals.capture import InferencePass, capture
from hpo.trial.kinds import Kind
from hpo.trial.objective import parse
from hpo.trial.operating_point import SweepPlan

IOUS = tuple(float(u) for u in np.linspace(0.1, 0.9, 31).round(4))
HARD = SweepPlan(kinds=(Kind.HARD,), ious=IOUS)
WIDE = SweepPlan(kinds=(Kind.HARD, Kind.AGNOSTIC, Kind.DIOU, Kind.SOFT), ious=IOUS)
MIB = 1 << 20


class Raw(DetectionValidator):  # type: ignore[misc]
    """Keeps what the head puts out, and the labels."""

    batches: list[tuple[torch.Tensor, list[dict[str, Any]]]]
    last: Raw
    """The validator that ran last: `model.val` makes its own and keeps it to itself."""

    @override
    def init_metrics(self, model: Any) -> None:
        super().init_metrics(model)
        self.batches = []
        Raw.last = self

    @override
    def postprocess(self, preds: Any) -> Any:
        self._output = (preds[0] if isinstance(preds, (list, tuple)) else preds).clone()
        return super().postprocess(preds)

    @override
    def update_metrics(self, preds: Any, batch: dict[str, Any]) -> None:
        self.batches.append((self._output, [self._prepare_batch(i, batch) for i in range(len(preds))]))
        super().update_metrics(preds, batch)


def built(raw: Raw) -> Predictions:
    """Candidates from the head's output: threshold, decode, sort."""
    images = []
    for output, labels in raw.batches:
        for found, truth in zip(candidates_of(output, multi_label=True, end2end=False), labels, strict=True):
            boxes = truth["bboxes"].numpy()
            area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            images.append(ImagePredictions(truth["im_file"], *found, IDENTITY, boxes, truth["cls"].numpy(), area))
    return collect(images, [str(name) for name in raw.names.values()], "val")


def all_points(predictions: Predictions, plan: SweepPlan) -> tuple[int, int]:
    """Every metric of every setting at every confidence; how many settings and points."""
    labels = Labels.of(predictions)
    groups: Iterable[Events] = (events for kind in plan.kinds for events in every(predictions, plan, kind))
    sizes = [len(curve(events.at(bit), labels)) for events in groups for bit in range(len(events.settings))]
    return len(sizes), sum(sizes)


def cpu(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def best(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """CPU seconds, the least of ``rounds``; all jobs in turn, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            seconds = cpu(job)
            if number:
                times[name].append(seconds)
    return {name: min(seconds) for name, seconds in times.items()}


def synthetic(images: int, candidates: int, classes: int = 10) -> Predictions:
    """Crowded images: clusters of candidates on 40 labels each, half of them elsewhere."""
    rng = np.random.default_rng(0)
    m = 40
    centres = rng.uniform(0, 640, (images, m, 2)).astype(np.float32)
    sizes = rng.uniform(12, 120, (images, m, 2)).astype(np.float32)
    labels = rng.integers(0, classes, (images, m)).astype(np.int32)
    near = rng.integers(0, m, (images, candidates))
    row = np.arange(images)[:, None]
    where, extent = centres[row, near], sizes[row, near]
    where += rng.normal(0, 6, where.shape).astype(np.float32)
    stray = rng.random((images, candidates)) < 0.5
    where[stray] = rng.uniform(0, 640, (int(stray.sum()), 2))
    scores = np.sort(rng.beta(0.3, 3, (images, candidates)).clip(0.0011, 1).astype(np.float32), axis=1)[:, ::-1]
    truth = np.concatenate([centres - sizes / 2, centres + sizes / 2], 2).reshape(-1, 4)
    return Predictions(
        boxes=np.concatenate([where - extent / 2, where + extent / 2], 2).reshape(-1, 4),
        scores=np.ascontiguousarray(scores).reshape(-1),
        classes=np.where(stray, rng.integers(0, classes, stray.shape), labels[row, near]).astype(np.int32).reshape(-1),
        offsets=np.arange(images + 1, dtype=np.int64) * candidates,
        frames=np.tile(np.array(IDENTITY, np.float32), (images, 1)),
        truth_boxes=truth,
        truth_classes=labels.reshape(-1),
        truth_offsets=np.arange(images + 1, dtype=np.int64) * m,
        truth_areas=sizes.prod(2).reshape(-1),
        images=tuple(map(str, range(images))),
        names=tuple(f"class{index}" for index in range(classes)),
        capture="val",
    )


def large() -> None:
    """In a process of its own, so that its peak memory is its own."""
    all_points(synthetic(4, 50), HARD)
    predictions = synthetic(5000, 3000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    _, points = all_points(predictions, HARD)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"5,000 images x 3,000 candidates x 31 settings: {seconds:.1f} CPU s (bar 15), {points:,} points, peak "
        f"{peak:.0f} MiB of the whole process (bar 2048), {before:.0f} MiB once the candidates were made"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--weights", type=Path, default=SHARED / "models" / "bccd-yolov8n-224.pt")
    arguments.add_argument("--data", type=Path, default=SHARED / "data" / "bccd" / "data.yaml")
    arguments.add_argument("--imgsz", type=int, default=224)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--skip-large", action="store_true")
    arguments.add_argument("--large", action="store_true", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.large:
        large()
        return
    if not (asked.weights.exists() and asked.data.exists()):
        sys.exit(f"{asked.weights} or {asked.data} is not there: name others with --weights and --data")
    small(asked)
    if not asked.skip_large:
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, __file__, "--large"])  # noqa: S606


def small(asked: argparse.Namespace) -> None:
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    patches.apply(1)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.yaml"
        write_resolved(asked.data, data)
        compare(asked, data, Path(folder))


def compare(asked: argparse.Namespace, data: Path, folder: Path) -> None:
    model, loaded = YOLO(str(asked.weights)), weights.load(asked.weights)
    val = {"data": str(data), "imgsz": asked.imgsz, "batch": 16, "workers": 0, "device": "cpu", "plots": False}
    val |= {"verbose": False, "project": str(folder), "exist_ok": True}
    model.val(validator=Raw, **val)
    raw: Raw = Raw.last
    over = InferencePass(data=data, split="val", imgsz=asked.imgsz, device="cpu")
    captured = capture(loaded.model, "deploy", over)
    wide, objective = SweepPlan(), parse("f1")
    found: dict[str, tuple[int, int]] = {}
    times = best(
        {
            "val": lambda: model.val(**val),
            "31": lambda: found.update({"31": all_points(built(raw), HARD)}),
            "109": lambda: found.update({"109": all_points(built(raw), WIDE)}),
            "deploy": lambda: capture(loaded.model, "deploy", over),
            "capture val": lambda: capture(loaded.model, "val", over),
            "f1": lambda: sweep(captured, wide, objective),
            "map": lambda: sweep(captured, wide, parse("map50_95")),
        },
        asked.rounds,
    )
    per_setting = times["31"] / found["31"][0]
    print(f"{len(captured)} images, {len(captured.scores) / len(captured):.0f} candidates each (deploy); one thread")
    print(f"model.val                                {times['val']:.3f} CPU s")
    print(
        f"31 settings, candidates built, {found['31'][1]:,} points, all metrics: {times['31']:.4f} CPU s = "
        f"{per_setting * 1e3:.2f} ms a setting, {times['val'] / per_setting:.0f} times faster than model.val (bar 600)"
    )
    print(f"{found['109'][0]} settings, {found['109'][1]:,} points: {times['109']:.3f} CPU s (bar 0.4)")
    print(f"capture, deploy: {times['deploy']:.3f} CPU s, {times['deploy'] / times['val']:.2f} of model.val (bar 1.1)")
    print(f"capture, val:    {times['capture val']:.3f} CPU s, {times['capture val'] / times['val']:.2f} of model.val")
    print(
        f"a trial pays besides its training: capture {times['deploy']:.2f} + sweep of 66 settings with 5-fold "
        f"cross-validation and bootstrap {times['f1']:.2f} CPU s (objective f1) or {times['map']:.2f} (map50_95)"
    )


if __name__ == "__main__":
    main()
