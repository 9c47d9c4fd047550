"""Facts of the labels: boxes by class, sizes of objects, and a few labelled images."""

from __future__ import annotations

import base64
import io
import os
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.dataset.images import images_of, label_of
from hpo.dataset.labels import box_around
from hpo.dataset.source import Source, read

MOST_IMAGES = 2000
"""Number of images of a split whose sizes are read, evenly spread."""
SMALL, MEDIUM = 32**2, 96**2
"""Areas in pixels: upper bounds of COCO's small and medium objects."""
_PICTURE_PX = 320
_Row = tuple[int, float, float, float, float]
"""Class and box: centre and size, fractions of the image."""
_COLOURS = ("#c2571a", "#0b6e99", "#3a7d44", "#7a4ea3", "#b3333e", "#8a6d1d")


@dataclass(frozen=True)
class BoxFacts:
    """Facts of the training split's labels."""

    by_class: dict[str, int]
    """Number of boxes of each class, in the order of the names."""
    small: int
    medium: int
    large: int
    """Number of boxes by COCO's areas (below 32 x 32, below 96 x 96, above), in pixels of the original images that were
    read.
    """
    sides: tuple[float, float, float]
    """10%, 50% and 90% quantile of sqrt(box area / image area): a box's side as a share of the image's."""
    images: int
    """Number of images whose sizes were read."""


def box_facts(yaml: Path, split: str = "train", left_out: Collection[str] = ()) -> BoxFacts | None:
    """Return the facts, or None if the split has no boxes. Raises SpecError as ``describe`` does for the data.yaml.

    ``left_out``: files that Ultralytics leaves out (``DatasetSummary.left_out``); so in the functions below.
    """
    source = read(yaml)
    images = _used(source, split, left_out)
    counts: Counter[int] = Counter()
    sizes: Counter[str] = Counter()
    sides: list[float] = []
    some = set(_spread(images, MOST_IMAGES))
    for image in images:
        rows = _rows(image)
        counts.update(cls for cls, *_ in rows)
        if image in some and rows:
            width, height = _size(image)
            for _, _, _, w, h in rows:
                area = w * width * h * height
                sizes["small" if area < SMALL else "medium" if area < MEDIUM else "large"] += 1
                sides.append((w * h) ** 0.5)
    if not sides:
        return None
    sides.sort()
    low, middle, high = (sides[int(share * (len(sides) - 1))] for share in (0.1, 0.5, 0.9))
    by_class = {name: counts[index] for index, name in enumerate(source.names)}
    return BoxFacts(by_class, sizes["small"], sizes["medium"], sizes["large"], (low, middle, high), len(some))


def objects(
    yaml: Path, split: str, areas: tuple[float, float] | None = None, left_out: Collection[str] = ()
) -> Iterator[int]:
    """Yield the class of each label of the split.

    With ``areas`` only of those in this range, [low, high) in square pixels of the original image. The labels of an
    image that Pillow can't open are then yielded, too: their sizes are not known.
    """
    for image in _used(read(yaml), split, left_out):
        rows = _rows(image)
        if areas is not None and rows:
            rows = _within(areas, image, rows)
        yield from (cls for cls, *_ in rows)


def _used(source: Source, split: str, left_out: Collection[str]) -> list[str]:
    """Return the images of the split that a training uses."""
    images, _ = images_of(source.splits[split])
    return [image for image in images if place_of(source, image) not in left_out] if left_out else images


def place_of(source: Source, image: str) -> str:
    """Return the path below the data's root; the absolute path of an image that lies elsewhere."""
    return image.removeprefix(f"{source.root}{os.sep}")


def _within(areas: tuple[float, float], image: str, rows: list[_Row]) -> list[_Row]:
    try:
        width, height = _size(image)
    except OSError:
        return rows
    return [row for row in rows if areas[0] <= row[3] * width * row[4] * height < areas[1]]


def longest_side(yaml: Path, split: str = "train", left_out: Collection[str] = ()) -> int:
    """Return the median of the longer side in pixels, over at most 2,000 evenly spread images of the split."""
    images = _used(read(yaml), split, left_out)
    sides = sorted(max(_size(image)) for image in _spread(images, MOST_IMAGES))
    return sides[len(sides) // 2]


def pictures(yaml: Path, count: int = 6, split: str = "train", left_out: Collection[str] = ()) -> tuple[str, ...]:
    """Return labelled images, evenly spread over the split, with their boxes drawn, as data URIs of JPEGs."""
    images = _used(read(yaml), split, left_out)
    return tuple(map(_picture, _spread([image for image in images if _rows(image)], count)))


def _picture(image: str) -> str:
    from PIL import ImageDraw, ImageOps

    with _opened(image) as opened:
        opened.draft("RGB", (_PICTURE_PX, _PICTURE_PX))  # a JPEG is then decoded at a fraction of its size
        opened.thumbnail((_PICTURE_PX, _PICTURE_PX))
        shown = ImageOps.exif_transpose(opened).convert("RGB")
    draw = ImageDraw.Draw(shown)
    for cls, x, y, w, h in _rows(image):
        left, top = (x - w / 2) * shown.width, (y - h / 2) * shown.height
        corner = (left + w * shown.width, top + h * shown.height)
        draw.rectangle([(left, top), corner], outline=_COLOURS[cls % len(_COLOURS)], width=2)
    held = io.BytesIO()
    shown.save(held, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(held.getvalue()).decode()


@contextmanager
def _opened(image: str) -> Iterator[Any]:
    """Open an image of any number of pixels: it is one that the study trains on.

    Raises OSError (Pillow's ``UnidentifiedImageError`` is one) if it is none.
    """
    from PIL import Image, UnidentifiedImageError

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(image) as opened:
            yield opened
    except ImportError as error:  # once Ultralytics is imported, its `open` wants pi_heif for what Pillow can't read
        raise UnidentifiedImageError(f"cannot identify image file {image!r}") from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _rows(image: str) -> list[_Row]:
    """Return class and box (centre and size, fractions of the image) of each row; for a polygon, the box around it."""
    try:
        text = Path(label_of(image)).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    rows = []
    for line in dict.fromkeys(text.splitlines()):
        numbers = list(map(float, line.split()))
        if len(numbers) >= 5:
            x, y, w, h = numbers[1:] if len(numbers) == 5 else box_around(numbers[1:])
            rows.append((int(numbers[0]), x, y, w, h))
    return rows


def _size(image: str) -> tuple[int, int]:
    """Return width and height in pixels as displayed: EXIF may rotate an image."""
    with _opened(image) as opened:
        width, height = opened.size
        turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def _spread(images: list[str], count: int) -> list[str]:
    if len(images) <= count:
        return images
    return [images[index * len(images) // count] for index in range(count)]
