"""Near copies that the check of a data set finds: made ones, and those that the set has.

Run it as ``python benchmarks/near_copies.py data.yaml``. Every second image is copied in each way, and looked for among
all images of the set.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

from hpo.dataset.decoding import SMALL_PX, small_of
from hpo.dataset.description import look_at
from hpo.dataset.near import Pictures


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=quality)
    return Image.open(held)


def _cropped(image: Image.Image, left: float, others: float) -> Image.Image:
    width, height = image.size
    right, cut = width - round(width * others), round(height * others)
    return image.crop((round(width * left), cut, right, height - cut))


WAYS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 60": lambda image: _jpeg(image, 60),
    "JPEG of quality 20": lambda image: _jpeg(image, 20),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "200 x 200": lambda image: image.resize((200, 200)),
    "2% cut off each side": lambda image: _cropped(image, 0.02, 0.02),
    "5% cut off each side": lambda image: _cropped(image, 0.05, 0.05),
    "5% cut off the left": lambda image: _cropped(image, 0.05, 0),
    "brightness 1.3": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "brightness 0.7": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "contrast 1.3": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "grey": ImageOps.grayscale,
    "mirrored": ImageOps.mirror,
}


def main() -> None:
    """Print what is found of each way, then the set's own pairs, to be looked at."""
    look = look_at(Path(sys.argv[1]), None, decode=True)
    files = [image for listed in look.used.values() for image in listed]
    every = Pictures.of([look.decoded[file].small for file in files], SMALL_PX)
    made: dict[str, list[bytes]] = {way: [] for way in WAYS}
    for file in files[::2]:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        for way, change in WAYS.items():
            made[way].append(small_of(change(image)))
    own = {pair for first, second in every.copies(every, earlier=True) for pair in ((first, second), (second, first))}
    for way, small in made.items():
        found = [(2 * copy, of) for copy, of in Pictures.of(small, SMALL_PX).copies(every)]
        wrong = sum(copy != of and (copy, of) not in own for copy, of in found)
        print(f"{way}: {len(found) - wrong} of {len(small)}, and {wrong} taken for another image")
    for first, second in sorted(own):
        if first < second:
            print(files[first], files[second])


if __name__ == "__main__":
    main()
