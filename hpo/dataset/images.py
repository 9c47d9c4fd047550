"""Images of a split and the paths of their labels, by the rules of Ultralytics 8.4.190 (data/base.py,
data/utils.py).
"""

from __future__ import annotations

import glob
import os
from pathlib import Path

from hpo import files
from hpo.errors import Problem

IMAGE_SUFFIXES = frozenset(
    {"avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp"}
)


_MOST_OF_A_LIST = 1 << 28
"""Bytes of a list of images beyond which it is not read."""


def images_of(entries: tuple[Path, ...]) -> tuple[list[str], list[Problem]]:
    """Return the absolute image paths of a split in Ultralytics' order, and the problems of its lists.

    Folders are searched to any depth, without hidden files. An image that is listed twice is returned twice (lists can
    oversample images in this way).
    """
    found: list[str] = []
    problems: list[Problem] = []
    for entry in entries:
        if entry.is_dir():
            # not Path.glob: that includes hidden files and, unlike Ultralytics, follows no linked folder
            inside = glob.glob(f"{glob.escape(str(entry))}/**/*.*", recursive=True)  # noqa: PTH207
            found += filter(_is_image, inside)
        else:
            listed, wrong = _listed(entry)
            found += listed
            problems += wrong
    return sorted(found), problems


def label_of(image: str) -> str:
    """Return the label file of an image: the last folder ``images`` becomes ``labels``, the suffix becomes ``.txt``."""
    head, folder, tail = image.rpartition(f"{os.sep}images{os.sep}")
    moved = f"{head}{os.sep}labels{os.sep}{tail}" if folder else image
    return moved.rsplit(".", 1)[0] + ".txt"


def _is_image(path: str) -> bool:
    return path.rpartition(".")[-1].lower() in IMAGE_SUFFIXES


def _listed(file: Path) -> tuple[list[str], list[Problem]]:
    """Return the images of a list, one per line; a path that starts with ``./`` starts at the list's folder."""
    if not file.is_file():
        return [], [Problem(str(file), 0, "", "is neither a folder nor a regular file with a list of images")]
    if file.stat().st_size > _MOST_OF_A_LIST:
        return [], [Problem(str(file), 0, "", f"is no list of images: it is larger than {_MOST_OF_A_LIST} bytes")]
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(str(file), 0, "", f"is neither a folder nor a list of images: {error}")]
    found, problems = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        path = f"{file.parent}{os.sep}{line[2:]}" if line.startswith("./") else line
        if message := _wrong(path, line):
            problems.append(Problem(str(file), number, "", message))
        else:
            found.append(path)
    return found, problems


def _wrong(path: str, line: str) -> str:
    if not Path(path).is_absolute():
        return f"{line!r} would start at whatever folder a process runs in; begin it with ./ (this file's folder) or /"
    if not _is_image(path):
        return f"{line!r} does not end like an image file, and Ultralytics would skip it; correct or remove the line"
    if not files.is_file(Path(path)):
        return f"there is no file {path}; correct or remove the line"
    return ""
