"""Images that are decoded a CPU second: the check of a data set, against ``cv2.imread`` alone.

Run it as ``python benchmarks/decoding.py data.yaml``. Rounds take turns, and the best one counts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from hpo.dataset.decoding import decode
from hpo.dataset.description import look_at

ROUNDS = 5
MOST = 360


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


if __name__ == "__main__":
    main()
