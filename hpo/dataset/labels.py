"""One label file: which boxes it holds, and whether Ultralytics 8.4.190 takes it (data/utils.py verify_image_label).

Ultralytics leaves an image out of the training, with a warning, where a row of its label file is wrong. Here that is an
error: a study on other data than its author thinks is worse than none.
"""

from __future__ import annotations

from dataclasses import dataclass

_TOLERANCE = 0.01
"""Coordinates may leave [0, 1] by so much; Ultralytics accepts the same."""


@dataclass(frozen=True)
class LabelFacts:
    """What counts of a label file without a problem."""

    boxes: int
    """Rows, equal ones once (Ultralytics drops repeated rows)."""
    polygons: int
    """Rows that are polygons; they are boxes too."""
    top_class: int
    """The largest class index, -1 where there is no row."""


@dataclass(frozen=True)
class WrongRow:
    line: int
    """From 1."""
    message: str


def parse(text: str, nc: int) -> LabelFacts | list[WrongRow]:
    """Facts of a label file's text, or all its wrong rows.

    A row is ``class x y width height`` (centre and size) or ``class x1 y1 x2 y2 x3 y3 ...`` (a polygon), in fractions
    of the picture; a file holds one kind of them. Classes are 0 to ``nc`` - 1.
    """
    rows = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    polygons = any(len(row) > 6 for _, row in rows)
    distinct: set[tuple[float, ...]] = set()
    wrong = []
    for number, row in rows:
        try:
            distinct.add(_row(row, nc, polygons=polygons))
        except ValueError as error:
            wrong.append(WrongRow(number, str(error)))
    if wrong:
        return wrong
    top_class = max((int(row[0]) for row in distinct), default=-1)
    return LabelFacts(len(distinct), len(distinct) if polygons else 0, top_class)


def _row(row: list[str], nc: int, *, polygons: bool) -> tuple[float, ...]:
    """The row's numbers; raises ValueError saying what is wrong."""
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
    _check_box(_box_around(numbers[1:]) if polygons else numbers[1:])
    return numbers


def _check_box(box: tuple[float, ...]) -> None:
    x, y, width, height = box
    inside = all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in box)  # False for NaN too
    if not (inside and width >= 0 and height >= 0):
        raise ValueError(
            f"box {x:g} {y:g} {width:g} {height:g} leaves [0, 1]; coordinates are fractions of the picture, not pixels"
        )


def _box_around(points: tuple[float, ...]) -> tuple[float, ...]:
    """x y width height of the polygon x1 y1 x2 y2 ..."""
    xs, ys = points[::2], points[1::2]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
