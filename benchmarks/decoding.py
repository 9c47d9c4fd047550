"""Images that are decoded a CPU second: the check of a data set, against ``cv2.imread`` alone; and a check done again.

Run it as ``python benchmarks/decoding.py data.yaml``, of JPEGs. Rounds take turns, and the best one counts. The check
that is done again is of 10,000 images: those of the set, each several times with another comment in its file.
"""

from __future__ import annotations

import itertools
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from hpo.dataset.decoding import decode
from hpo.dataset.description import look_at
from hpo.dataset.findings import check

ROUNDS = 3
MOST = 360
MANY = {"train": 8000, "val": 1000, "test": 1000}


def main() -> None:
    """Print both numbers."""
    cv2.setNumThreads(1)
    look = look_at(Path(sys.argv[1]), None, decode=True)
    images = [image for listed in look.images.values() for image in listed][:MOST]
    ways: dict[str, Callable[[str], object]] = {"hpo data check": decode, "cv2.imread": cv2.imread}
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            for image in images:
                way(image)
            best[name] = min(best[name], time.process_time() - began)
    for name, seconds in best.items():
        print(f"{name}: {len(images) / seconds:.0f} images a CPU second")
    with tempfile.TemporaryDirectory() as folder:
        data = _many([Path(image) for image in images], Path(folder))
        for turn in ("first", "second", "third"):
            began, used = time.perf_counter(), _cpu()
            check(data, Path(folder) / "cache", lambda _done, _images: None)
            print(f"{turn} check of 10,000: {time.perf_counter() - began:.1f} s, {_cpu() - used:.1f} s of CPU")


def _many(images: list[Path], folder: Path) -> Path:
    """Make the 10,000 images; return their data.yaml."""
    turns = itertools.cycle(images)
    for split, count in MANY.items():
        (folder / split).mkdir()
        for number in range(count):
            content = next(turns).read_bytes()
            comment = f"{split}{number:08}".encode()
            marked = content[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + content[2:]
            (folder / split / f"{number:05}.jpg").write_bytes(marked)
            (folder / split / f"{number:05}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (folder / "data.yaml").write_text("train: train\nval: val\ntest: test\nnames: [a]\n")
    return folder / "data.yaml"


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    main()
