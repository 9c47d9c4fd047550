"""What is known of a dataset without a framework: counts, and a fingerprint of its content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SplitSummary:
    images: int
    labelled: int
    """Images with at least one box."""
    background: int
    """Images without a label file or with an empty one."""
    boxes: int
    polygons: int
    """Labels that are segments (more than four coordinates)."""


@dataclass(frozen=True)
class DatasetSummary:
    """A detection dataset as Ultralytics will read it."""

    yaml: str
    """Absolute path of the data.yaml."""
    names: tuple[str, ...]
    splits: dict[str, SplitSummary]
    """``train`` and ``val`` always, ``test`` where the file names it."""
    fingerprint: str
    """sha256 over names, and over the relative path and content of every image and label file of all splits."""

    @property
    def nc(self) -> int:
        return len(self.names)
