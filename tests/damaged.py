"""A data set as it is downloaded: damaged JPEGs, and files that Ultralytics would load as labels and pixels."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from typing_extensions import override


@dataclass(frozen=True)
class Damaged:
    """The data set; ``root`` is its folder."""

    root: Path
    truncated: tuple[str, ...]
    """Names of images that end in the middle of their pixels."""
    endless: tuple[str, ...]
    """Names of images that do not end with the end mark of a JPEG."""

    @property
    def data(self) -> Path:
        return self.root / "data.yaml"

    @property
    def canary(self) -> Path:
        """Return the file that the label cache's code makes."""
        return self.root.parent / "canary"

    def digest(self) -> str:
        """Return a digest of all names, contents and times."""
        found = hashlib.sha256()
        for path in sorted(self.root.rglob("*")):
            found.update(f"{path.relative_to(self.root)} {path.stat().st_mtime_ns}\n".encode())
            found.update(path.read_bytes() if path.is_file() else b"")
        return found.hexdigest()


class Payload:
    """What runs code when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    @override
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.canary}'",)


def jpegs(source: Path, root: Path, *, train: int = 16, val: int = 8) -> Path:
    """Copy the first images of the data set ``source`` (its data.yaml) as sound JPEGs; return the new data.yaml."""
    for split, count in (("train", train), ("val", val)):
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        for image in sorted((source.parent / "images" / split).iterdir())[:count]:
            with Image.open(image) as opened:
                opened.convert("RGB").save(root / "images" / split / f"{image.stem}.jpg", quality=80)
            label = source.parent / "labels" / split / f"{image.stem}.txt"
            if label.exists():
                (root / "labels" / split / label.name).write_text(label.read_text())
    text = source.read_text()
    names = text[text.index("names:") :]
    (root / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/val\n{names}")
    return root / "data.yaml"


def damage(root: Path, *, traps: bool = True) -> Damaged:
    """Damage a copy of ``jpegs``: two train images are truncated, two have bytes behind their end.

    With ``traps`` there is a label cache that runs code, and a file of other pixels beside an image.
    """
    images = sorted((root / "images" / "train").iterdir())
    for image in images[:2]:
        image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    images[2].write_bytes(images[2].read_bytes() + b"\n")
    images[3].write_bytes(images[3].read_bytes() + bytes(4))
    names = tuple(image.name for image in images[:4])
    found = Damaged(root, names[:2], names[2:])
    if traps:
        for split in ("train", "val"):
            with (root / "labels" / f"{split}.cache").open("wb") as file:
                np.save(file, np.array({"labels": Payload(found.canary)}, dtype=object), allow_pickle=True)
        np.save(images[4].with_suffix(".npy"), np.zeros((40, 40, 3), np.uint8))
    return found
