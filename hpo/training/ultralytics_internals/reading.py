"""Reading of a dataset's files that leaves the data's folders as they are.

Ultralytics 8.4.190 saves a JPEG without end mark anew, in place; it keeps labels in a pickle beside them, and decoded
images in ``.npy`` files beside the images, which it reads even where no cache is asked for. Here all of that lies in
the service's own cache, and what lies in the data's folders is not read. The pixels and labels of a training are those
that Ultralytics would train on, had it written.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import ultralytics.data.base
import ultralytics.data.dataset
import ultralytics.data.loaders
import ultralytics.data.utils
from numpy.typing import NDArray
from ultralytics.data.base import BaseDataset
from ultralytics.data.dataset import DATASET_CACHE_VERSION, YOLODataset
from ultralytics.utils import LOGGER
from ultralytics.utils.patches import imread as imread_as_it_lies

from hpo import files
from hpo.dataset.repair import may_need_repair, repaired
from hpo.training.data_cache import KeptFolders, LabelCache, unusable

_DISK_MARGIN = 1.1
"""Ultralytics' own: space for a tenth more than the images need."""


def leave_data_alone(cache: Path | None) -> None:
    """Let every reader of this process leave the data alone. ``cache``: folder for what is kept; None keeps nothing."""
    images = ImageReader(None if cache is None else KeptFolders(cache / "repaired"))
    ultralytics.data.utils._replace_image = images.check  # noqa: SLF001  (the one place that writes)
    ultralytics.data.base.imread = images.read
    ultralytics.data.loaders.imread = images.read
    _keep_labels(None if cache is None else LabelCache(cache / "labels", DATASET_CACHE_VERSION))
    _keep_pixels(None if cache is None else KeptFolders(cache / "pixels"), images)


class ImageReader:
    """Reads images as Ultralytics does; where it would repair a file, the pixels are those of the repaired one."""

    def __init__(self, kept: KeptFolders | None = None) -> None:
        """Keep repaired images in ``kept``, by the content of the file; with None they are repaired at every read."""
        self._kept = kept

    def read(self, filename: str | Path, flags: int = cv2.IMREAD_COLOR) -> NDArray[np.uint8] | None:
        """Return pixels in BGR (height, width, channels), or None for what is no image."""
        try:
            with self._repaired(Path(filename)) as file:
                return self._plain(filename if file is None else file, flags)
        except Exception:  # noqa: BLE001  (whatever Pillow raises: there is no repaired file then)
            return self._plain(filename, flags)

    @staticmethod
    def _plain(file: str | Path, flags: int) -> NDArray[np.uint8] | None:
        pixels: NDArray[np.uint8] | None = imread_as_it_lies(file, flags=flags)
        return pixels

    def check(self, filename: str | Path, _write: Callable[[str], None]) -> None:
        """Make the repaired image in place of Ultralytics. Raises what Pillow raises where it can't be decoded."""
        with self._repaired(Path(filename)):
            return

    @contextmanager
    def _repaired(self, file: Path) -> Iterator[Path | None]:
        """Give the repaired file; None where ``file`` needs no repair."""
        content = file.read_bytes() if may_need_repair(file) else b""
        name = f"{hashlib.sha256(content).hexdigest()}{file.suffix}"
        place = self._place(file, name) if content else None
        if place is not None and place.is_file():
            yield place
            return
        made = repaired(content)
        if made is None:
            yield None
        elif place is not None and _written(place, made):
            yield place
        else:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / name).write_bytes(made)
                yield Path(folder) / name

    def _place(self, file: Path, name: str) -> Path | None:
        if self._kept is None:
            return None
        try:
            return self._kept.file(str(file.parent), name)
        except OSError as error:
            unusable(file, error)
            return None


def _written(place: Path, content: bytes) -> bool:
    try:
        files.write_bytes(place, content)
    except OSError as error:
        unusable(place, error)
        return False
    return True


_depth = 0
_changing = threading.Lock()


@contextmanager
def repaired_where_predicted() -> Iterator[None]:
    """Let ``model.predict`` read images as a training does, in a process whose Ultralytics is otherwise unchanged."""
    global _depth  # noqa: PLW0603  (the name that is replaced is Ultralytics' own, one for all threads)
    with _changing:
        plain = ultralytics.data.loaders.imread is imread_as_it_lies
        if plain:
            ultralytics.data.loaders.imread = ImageReader().read
        counted = plain or _depth > 0
        _depth += counted
    try:
        yield
    finally:
        with _changing:
            _depth -= counted
            if counted and _depth == 0:
                ultralytics.data.loaders.imread = imread_as_it_lies


def _keep_labels(kept: LabelCache | None) -> None:
    def load_or_scan(dataset: Any, path: Path, name: str) -> tuple[dict[str, Any], bool]:
        found = None if kept is None else kept.load(name)
        return (dataset.cache_labels(path), False) if found is None else (found, True)

    def save(_prefix: str, _path: Path, found: dict[str, Any], version: str) -> None:
        found["version"] = version
        if kept is not None:
            kept.save(found)

    YOLODataset._load_or_scan_cache = load_or_scan  # noqa: SLF001  (a pickle beside the labels is not read)
    ultralytics.data.dataset.save_dataset_cache_file = save


class _Nowhere:
    """The place of a decoded image where none is kept."""

    @staticmethod
    def exists() -> bool:
        return False


class _Places:
    """The places of a dataset's decoded images, by the image's index."""

    def __init__(self, dataset: Any, kept: KeptFolders | None) -> None:
        self._dataset = dataset
        self._kept = kept
        self._folder = ""

    def __getitem__(self, index: int) -> Path | _Nowhere:
        if self._kept is None or self._dataset.cache != "disk":
            return _Nowhere()
        file, status = self._dataset.im_files[index], os.stat(self._dataset.im_files[index])  # noqa: PTH116
        self._folder = self._folder or os.path.commonpath(self._dataset.im_files)
        state = (os.fsencode(file), status.st_size, status.st_mtime_ns, self._dataset.cv2_flag)
        return self._kept.file(self._folder, f"{hashlib.sha256(repr(state).encode()).hexdigest()}.npy")


def _keep_pixels(kept: KeptFolders | None, images: ImageReader) -> None:
    def places(dataset: Any) -> _Places:
        found: _Places = dataset.__dict__["_places"]
        return found

    def place(dataset: Any, _beside_the_images: list[Path]) -> None:
        dataset.__dict__["_places"] = _Places(dataset, kept)

    def write(dataset: Any, index: int) -> None:
        file = dataset.npy_files[index]
        try:
            if not file.exists():
                pixels: Any = images.read(dataset.im_files[index], dataset.cv2_flag)
                with files.written_aside(file) as aside, aside.open("wb") as opened:
                    np.save(opened, pixels, allow_pickle=False)  # None raises ValueError
        except (OSError, ValueError) as error:
            LOGGER.warning(f"{dataset.prefix}Failed to cache image {file}: {error}")

    def has_space(dataset: Any) -> bool:
        needed = _needed(dataset, images)
        free = 0 if kept is None else shutil.disk_usage(kept.base()).free
        if needed > free:
            dataset.cache = None
            LOGGER.warning(f"{dataset.prefix}{needed / 2**30:.1f} GB needed to cache images, {free / 2**30:.1f} free")
        return needed <= free

    BaseDataset.npy_files = property(places, place)
    BaseDataset.cache_images_to_disk = write
    BaseDataset.check_cache_disk = has_space


def _needed(dataset: Any, images: ImageReader) -> float:
    """Return the bytes that the decoded images take, with the margin; as many random numbers are drawn as by
    Ultralytics.
    """
    some = [random.choice(dataset.im_files) for _ in range(min(dataset.ni, 30))]  # noqa: S311
    sizes = [
        0 if pixels is None else pixels.nbytes for pixels in (images.read(file, dataset.cv2_flag) for file in some)
    ]
    return sum(sizes) * int(dataset.ni) / len(sizes) * _DISK_MARGIN
