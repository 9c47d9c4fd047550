"""Summary of a dataset without a framework: counts, and a fingerprint of its content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SplitSummary:
    images: int
    labelled: int
    """Number of images with at least one box."""
    background: int
    """Number of images without a label file or with an empty one."""
    boxes: int
    polygons: int
    """Number of labels that are segments (more than four coordinates)."""


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

    @property
    def nc(self) -> int:
        return len(self.names)
