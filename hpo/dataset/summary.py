"""Summary of a dataset without a framework: counts, and a fingerprint of its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpo.dataset import boxes


@dataclass(frozen=True)
class SplitSummary:
    """Counts of a split as a training uses it: images that Ultralytics leaves out count nowhere."""

    images: int
    labelled: int
    """Number of images with at least one box."""
    background: int
    """Number of images without a label file or with an empty one."""
    boxes: int
    polygons: int
    """Number of labels that are segments (more than four coordinates)."""
    most: int = 0
    """Number of boxes in the image that has the most of them."""


@dataclass(frozen=True)
class LeftOut:
    """An image that Ultralytics leaves out."""

    split: str
    file: str
    """Path below the data's root; absolute where the image lies elsewhere."""
    why: str


@dataclass(frozen=True)
class DatasetSummary:
    """A detection dataset as Ultralytics will read it."""

    yaml: str
    """Absolute path of the data.yaml."""
    names: tuple[str, ...]
    splits: dict[str, SplitSummary]
    """``train`` and ``val`` always, and ``test`` if the file has it."""
    fingerprint: str
    """sha256 over names, and over the relative path and content of every image and label file of all splits."""
    in_train: int = 0
    """Number of images of val that are in train, too, by path or content."""
    left_out: tuple[LeftOut, ...] = ()
    """Images that Ultralytics leaves out; the counts are without them."""
    split_fingerprints: dict[str, str] = field(default_factory=dict)
    """sha256 of each split alone, over the relative path and content of its images and labels."""
    channels: int = 3
    """Channels that Ultralytics reads of each image: key ``channels`` of the data.yaml, no part of the content."""

    @property
    def nc(self) -> int:
        return len(self.names)

    def objects(self, split: str, areas: tuple[float, float] | None = None) -> Iterator[int]:
        """Read the label files again, and yield what ``boxes.objects`` does."""
        return boxes.objects(Path(self.yaml), split, areas, {each.file for each in self.left_out})

    @staticmethod
    def files_left_out(stored: Mapping[str, Any]) -> set[str]:
        """Return the files of ``left_out`` in a stored summary; studies of older versions have none."""
        listed: Iterable[Mapping[str, str]] = stored.get("left_out", ())
        return {each["file"] for each in listed}
