"""One label file: its boxes, and whether Ultralytics 8.4.190 accepts it (data/utils.py verify_image_label).

If a row of a label file is wrong, Ultralytics leaves the image out of the training, with a warning. Here that is an
error: a study on other data than its author expects is worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_TOLERANCE = 0.01
"""Distance by which coordinates may leave [0, 1]; Ultralytics accepts the same."""
_ROUNDING = 1e-3
"""Distance by which an edge may leave the image without a word: written with few digits, boxes at the edge do."""


@dataclass(frozen=True)
class LabelFacts:
    """Facts of a label file without a problem."""

    boxes: int
    """Number of rows; equal rows count once (Ultralytics drops repeated rows)."""
    polygons: int
    """Number of rows that are polygons; they are boxes too."""
    top_class: int
    """Largest class index, -1 if there is no row."""
    repeated: int = 0
    """Number of rows that Ultralytics drops, since they are there already."""
    outside: int = 0
    """Number of boxes that reach beyond the image; Ultralytics cuts them in a training."""


WrongRow = tuple[int, str]
"""Line number, from 1, and what is wrong."""


def parse(text: str, nc: int) -> LabelFacts | list[WrongRow]:
    """Return the facts of a label file's text, or all its wrong rows.

    A row is ``class x y width height`` (centre and size) or ``class x1 y1 x2 y2 x3 y3 ...`` (a polygon), in fractions
    of the picture; a file holds only one of these kinds. Classes are 0 to ``nc`` - 1.
    """
    rows = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    polygons = any(len(row) > 6 for _, row in rows)
    distinct: set[tuple[float, ...]] = set()
    wrong: list[WrongRow] = []
    for number, row in rows:
        try:
            distinct.add(_row(row, nc, polygons=polygons))
        except ValueError as error:
            wrong.append((number, str(error)))
    if wrong:
        return wrong
    top_class = max((int(row[0]) for row in distinct), default=-1)
    boxes = [box_around(row[1:]) if polygons else row[1:] for row in distinct]
    outside = sum(not _lies_inside(box) for box in boxes)
    return LabelFacts(len(boxes), len(boxes) if polygons else 0, top_class, len(rows) - len(boxes), outside)


def _lies_inside(box: Sequence[float]) -> bool:
    x, y, width, height = box
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return all(-_ROUNDING <= edge <= 1 + _ROUNDING for edge in edges)


def _row(row: list[str], nc: int, *, polygons: bool) -> tuple[float, ...]:
    """Return the row's numbers; raise ValueError with the reason if it is wrong."""
    columns = len(row)
    if polygons and columns == 5:
        raise ValueError(
            "a box in a file of polygons; Ultralytics takes files of one kind only, so split or convert it"
        )
    if polygons and (columns < 7 or columns % 2 == 0):
        raise ValueError(f"{columns} columns; a polygon has its class and at least three x y pairs")
    if not polygons and columns != 5:
        raise ValueError(f"{columns} columns; a box has 5: class x y width height")
    try:
        numbers = tuple(map(float, row))
    except ValueError:
        raise ValueError(f"{' '.join(row)[:60]!r} is not all numbers") from None
    index = numbers[0]
    if not (index >= 0 and index.is_integer()):
        raise ValueError(f"class {row[0]}; classes are whole numbers from 0")
    if index >= nc:
        raise ValueError(f"class {row[0]}, but data.yaml names {nc} (0 to {nc - 1}); add its name or correct the row")
    _check_box(box_around(numbers[1:]) if polygons else numbers[1:])
    return numbers


def _check_box(box: tuple[float, ...]) -> None:
    x, y, width, height = box
    inside = all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in box)  # False for NaN too
    if not (inside and width >= 0 and height >= 0):
        raise ValueError(
            f"box {x:g} {y:g} {width:g} {height:g} leaves [0, 1]; coordinates are fractions of the picture, not pixels"
        )


def box_around(points: Sequence[float]) -> tuple[float, float, float, float]:
    """Return x y width height (centre and size) of the polygon x1 y1 x2 y2 ..."""
    xs, ys = points[::2], points[1::2]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
