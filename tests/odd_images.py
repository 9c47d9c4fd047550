"""Images as they come from cameras and downloads, each with what decoding finds of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hpo.dataset.decoding import Decoded, Mark


def _noise(mode: str = "RGB", size: tuple[int, int] = (48, 40)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).convert(mode)


def _turned(file: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    _noise().save(file, exif=exif)


def cut(file: Path, share: float, form: str = "JPEG") -> None:
    _noise().save(file, form)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])


def _endless(file: Path) -> None:
    _noise().save(file)
    file.write_bytes(file.read_bytes() + bytes(8))


MADE: dict[str, tuple[Callable[[Path], Any], Decoded]] = {
    "sound.jpg": (lambda file: _noise().save(file), Decoded()),
    "sound.png": (lambda file: _noise().save(file), Decoded()),
    "gray.png": (lambda file: _noise("L").save(file), Decoded()),
    "sound.webp": (lambda file: _noise().save(file), Decoded()),
    "sound.tif": (lambda file: _noise().save(file), Decoded()),
    "empty.jpg": (lambda file: file.write_bytes(b""), Decoded("the file is empty")),
    "page.jpg": (lambda file: file.write_bytes(b"<html>404</html>"), Decoded("it is no image")),
    "gif.jpg": (lambda file: _noise("P").save(file, "GIF"), Decoded("its format is GIF, whatever its name says")),
    "small.png": (
        lambda file: _noise(size=(9, 40)).save(file),
        Decoded("it has 9 x 40 pixels, and the least is 10 x 10"),
    ),
    "endless.jpg": (_endless, Decoded("", (Mark.REPAIRED,))),
    "turned.jpg": (_turned, Decoded("", (Mark.ROTATED,))),
    "cmyk.jpg": (lambda file: _noise("CMYK").save(file), Decoded("", (Mark.CMYK,))),
    "deep.png": (lambda file: Image.new("I;16", (32, 32)).save(file), Decoded("", (Mark.SIXTEEN_BIT,))),
    "several.webp": (
        lambda file: _noise().save(file, save_all=True, append_images=[Image.new("RGB", (48, 40))]),
        Decoded("", (Mark.ANIMATED,)),
    ),
    "short.bmp": (lambda file: cut(file, 0.5, "BMP"), Decoded("", (Mark.UNREADABLE,))),
}
TRUNCATED = {"short.jpg": "JPEG", "short.png": "PNG", "short.webp": "WEBP"}


def make(folder: Path) -> list[str]:
    """Make all of them; return their paths."""
    for name, (save, _) in MADE.items():
        save(folder / name)
    for name, form in TRUNCATED.items():
        cut(folder / name, 0.5, form)
    return sorted(str(folder / name) for name in [*MADE, *TRUNCATED])
