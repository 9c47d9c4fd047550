"""How long it takes to describe a dataset: every file read, and again when nothing changed.

    python benchmarks/fingerprint.py [--files 20000] [--image-kib 20]

Half of the files are images, half are labels. "cold" has an empty hash cache (the operating system may still hold the
files in memory, so a first read from disk costs more); "warm" finds every hash in the cache.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from hpo.dataset.description import describe


def write_dataset(folder: Path, images: int, image_bytes: int) -> Path:
    """A dataset of random bytes with ten boxes an image, one image in ten for validation; all files an hour old."""
    source = random.Random(0)  # noqa: S311  # bytes to hash, no secret
    row = "0 0.500000 0.500000 0.100000 0.100000\n"
    then = time.time() - 3600
    for index in range(images):
        split = "val" if index % 10 == 0 else "train"
        image, label = folder / f"images/{split}/{index:06d}.jpg", folder / f"labels/{split}/{index:06d}.txt"
        for file, content in ((image, source.randbytes(image_bytes)), (label, (row * 10).encode())):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            os.utime(file, (then, then))
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [thing]\n")
    return folder / "data.yaml"


def seconds(yaml: Path, cache: Path) -> float:
    start = time.perf_counter()
    describe(yaml, cache)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--image-kib", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        images = asked.files // 2
        yaml = write_dataset(Path(scratch, "set"), images, asked.image_kib * 1024)
        cold = statistics.median(seconds(yaml, Path(scratch, f"cache{turn}")) for turn in range(3))
        warm = statistics.median(seconds(yaml, Path(scratch, "cache0")) for _ in range(3))
    print(f"{images} images of {asked.image_kib} KiB and {images} label files, median of 3:")
    print(f"cold {cold:.2f} s, warm {warm:.2f} s, cold/warm {cold / warm:.1f}")
    print(f"100,000 images warm, in proportion: {warm * 100_000 / images:.1f} s")


if __name__ == "__main__":
    main()
