"""Images of a split and the paths of their labels, by the rules of Ultralytics 8.4.190 (data/base.py,
data/utils.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from hpo import files
from hpo.errors import Problem

IMAGE_SUFFIXES = frozenset(
    {"avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp"}
)

MOST_FOLDERS = 20_000
"""Folders below that of a split; a whole disk has more, and so has a link to a folder above itself."""
MOST_OTHERS = 1_000_000
"""Files that are neither images nor labels below the folder of a split that has few images."""
_PER_IMAGE = 10
"""Number of such files for each image that are no sign of a wrong folder."""


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
        listed, wrong = _inside(entry) if entry.is_dir() else _listed(entry)
        found += listed
        problems += wrong
    return sorted(found), problems


def _inside(folder: Path) -> tuple[list[str], list[Problem]]:
    """Return what ``glob("**/*.*")`` finds of images below a folder; a problem where that is a whole disk."""
    if folder.parent == folder:
        return [], [_too_much(folder, "is the root of all files")]
    folders, found, others = [str(folder)], [], 0
    for place in folders:  # which grows meanwhile
        for entry in _entries(place):
            if "." in entry.name and _is_image(entry.name):
                found.append(entry.path)
            elif not entry.name.endswith(".txt"):
                others += 1
            if _is_folder(entry):
                folders.append(entry.path)
        if len(folders) > MOST_FOLDERS or others > max(MOST_OTHERS, _PER_IMAGE * len(found)):
            much = (
                f"{MOST_FOLDERS:,} folders"
                if len(folders) > MOST_FOLDERS
                else f"{MOST_OTHERS:,} files that are no images"
            )
            return [], [_too_much(folder, f"holds over {much}")]
    return found, []


def _too_much(folder: Path, what: str) -> Problem:
    return Problem(
        str(folder), 0, "", f"{what}: name the folder of the images in the data.yaml, or a .txt list of them"
    )


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what is not hidden in a folder; nothing where it can't be read, as with Ultralytics."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()  # also a linked one, as with Ultralytics
    except OSError:
        return False


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
