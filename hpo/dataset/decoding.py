"""What decoding an image finds: whether Ultralytics 8.4.190 trains on it, and what may surprise its owner.

The rules are those of ``check_image`` (data/utils.py) and of ``imread`` (utils/patches.py).
"""

from __future__ import annotations

import base64
import io
import json
import warnings
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hpo.dataset.images import IMAGE_SUFFIXES

_LEAST_PX = 10
"""Ultralytics leaves out an image with a shorter side."""
_SURE = frozenset({"JPEG", "MPO", "PNG", "BMP", "WEBP"})
"""Formats that OpenCV reads wherever Pillow does."""
_PILLOW_SUFFIXES = frozenset({".avif", ".heic", ".heif"})
"""Ultralytics reads these with Pillow."""
SMALL_PX = 32
"""Side of the small grey picture of an image by which near copies are told."""

_SOME_PX = 4 * SMALL_PX


class Mark(StrEnum):
    """What is unusual about an image that is used."""

    REPAIRED = "repaired"
    DAMAGED = "damaged"
    ROTATED = "rotated"
    SIXTEEN_BIT = "16-bit"
    CMYK = "CMYK"
    ANIMATED = "animated"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Decoded:
    """What decoding one image found."""

    left_out: str = ""
    """Why Ultralytics leaves the image out; empty where it is used."""
    marks: tuple[Mark, ...] = ()
    small: bytes = field(default=b"", repr=False, compare=False)
    """``SMALL_PX`` x ``SMALL_PX`` grey pixels of the upright image, row by row; empty where it does not decode."""

    def to_json(self) -> str:
        return json.dumps([self.left_out, base64.b64encode(self.small).decode(), *self.marks])

    @staticmethod
    def from_json(text: str) -> Decoded:
        left_out, small, *marks = json.loads(text)
        return Decoded(left_out, tuple(map(Mark, marks)), base64.b64decode(small))


def decode(path: str) -> Decoded:
    """Decode one image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd about an image, the marks tell
        return _decode(Path(path).read_bytes(), Path(path).suffix.lower())


def _decode(content: bytes, suffix: str) -> Decoded:
    if not content:
        return Decoded("the file is empty")
    try:
        form = _verified(content)
    except Exception as error:  # noqa: BLE001  (whatever Pillow raises, Ultralytics leaves the image out)
        return Decoded(_line(error))
    marks, wrong, small = _loaded(content, form)
    if Mark.REPAIRED in marks and wrong:
        return Decoded(wrong)
    if wrong or form not in _SURE:
        read = not wrong if suffix in _PILLOW_SUFFIXES else _opencv_reads(content, suffix)
        marks += () if read and not wrong else (Mark.DAMAGED if read else Mark.UNREADABLE,)
    return Decoded("", marks, small)


def _verified(content: bytes) -> str:
    """Return the format of an image that Ultralytics accepts; raise an error for any other."""
    with _opened(content) as image:
        image.verify()
        form, size = str(image.format), image.size
    if min(size) < _LEAST_PX:
        raise ValueError(f"it has {size[0]} x {size[1]} pixels, and the least is {_LEAST_PX} x {_LEAST_PX}")
    if form.lower() not in IMAGE_SUFFIXES | {"jpeg2000"}:
        raise ValueError(f"its format is {form}, whatever its name says")
    return form


def _loaded(content: bytes, form: str) -> tuple[tuple[Mark, ...], str, bytes]:
    """Return what is unusual, the error of a decoding, and the small picture."""
    marks = [Mark.REPAIRED] if form == "JPEG" and not content.endswith(b"\xff\xd9") else []
    error, small = "", b""
    from PIL import ImageOps

    with _opened(content) as image:
        try:
            if image.getexif().get(0x0112, 1) in range(2, 9):
                marks.append(Mark.ROTATED)
            if form != "MPO" and getattr(image, "is_animated", False):
                marks.append(Mark.ANIMATED)
            if image.mode.startswith("I;16") or (form == "PNG" and content[24] == 16):
                marks.append(Mark.SIXTEEN_BIT)
            if image.mode == "CMYK":
                marks.append(Mark.CMYK)
            image.load()
            small = small_of(ImageOps.exif_transpose(image) if Mark.ROTATED in marks else image)
        except Exception as raised:  # noqa: BLE001  (whatever Pillow raises is said of the image)
            error = _line(raised)
    return tuple(marks), error, small


def small_of(image: Any) -> bytes:
    """Return ``SMALL_PX`` x ``SMALL_PX`` grey pixels; nothing for colours that Pillow can't make grey."""
    from PIL import Image

    try:
        # some pixels are enough, and to make a few grey costs less
        image = image.resize([min(side, _SOME_PX) for side in image.size], Image.Resampling.NEAREST)
        if image.mode.startswith(("I", "F")):  # more than 8 bits
            low, high = image.convert("F").getextrema()
            scale = 255 / max(high - low, 1)
            image = image.convert("F").point(lambda value: value * scale - low * scale)
        return bytes(image.convert("L").resize((SMALL_PX, SMALL_PX), Image.Resampling.BOX).tobytes())
    except ValueError:
        return b""


def _opened(content: bytes) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(content))
    except (UnidentifiedImageError, ImportError):  # Ultralytics' own `open` wants pi_heif for what it can't identify
        raise ValueError("it is no image") from None


def _opencv_reads(content: bytes, suffix: str) -> bool:
    import cv2
    import numpy as np

    held = np.frombuffer(content, np.uint8)
    try:
        several = suffix in {".tif", ".tiff"} and cv2.imdecodemulti(held, cv2.IMREAD_UNCHANGED)[0]
        return bool(several) or cv2.imdecode(held, cv2.IMREAD_COLOR) is not None
    except cv2.error:
        return False


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
