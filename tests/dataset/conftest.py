"""A small dataset in YOLO format, whose files are no real images, and a folder of images that are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import odd_images

DATA_YAML = """\
train: images/train
val: images/val
names: [cat, dog]
"""


def write_dataset(folder: Path, yaml: str = DATA_YAML) -> Path:
    """Write two training images, one of them background, and one validation image; return the data.yaml."""
    for name, label in (
        ("train/a", "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.1 0.1\n"),
        ("train/b", None),
        ("val/c", "1 0 0 1 1\n"),
    ):
        image, text = folder / "images" / f"{name}.jpg", folder / "labels" / f"{name}.txt"
        for file in (image, text):
            file.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(f"picture {name}".encode())
        if label is not None:
            text.write_text(label)
    (folder / "data.yaml").write_text(yaml)
    return folder / "data.yaml"


@pytest.fixture(scope="session")
def write() -> Callable[[Path], Path]:
    """Return a function that writes the small dataset into a folder and returns its data.yaml; for property tests."""
    return write_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """The data.yaml of a fresh dataset."""
    return write_dataset(tmp_path / "set")


@pytest.fixture
def dataset_with(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes a dataset with the given text as data.yaml."""
    return lambda yaml: write_dataset(tmp_path / "set", yaml)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an image of each kind that decoding tells apart."""
    folder = tmp_path_factory.mktemp("decoded")
    odd_images.make(folder)
    return folder
