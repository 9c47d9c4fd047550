"""The demo set: scenes composed from scikit-learn's bundled scans of handwritten digits (8x8 px, 43 writers).

The scans are real, the paper is generated. Scenes have several sizes, overlaps, clutter (other digits and pieces of
them), and some have no digit to find. The scans of training, validation and test are disjoint. The same code makes the
same bytes every time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpo import files
from hpo.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Scans = dict[int, Pixels]
    """Scans of one split: digit -> (n, 8, 8), grey values 0 (paper) to 255 (ink)."""
    Box = tuple[int, int, int, int]
    """x0, y0, x1, y1 in pixels."""

DEFAULT_FOLDER = Path("data", "digits")
NAMES = ("zero", "one", "four", "seven")
_DIGITS = (0, 1, 4, 7)
_CLUTTER_DIGITS = (2, 3, 5, 6, 8, 9)
_SCENES = {"train": 180, "val": 60, "test": 40}
_SCANS = {"train": (0.0, 0.6), "val": (0.6, 0.8), "test": (0.8, 1.0)}
"""Share of each digit's scans that a split may use."""
_SIDE_PX = 96
_SIZES_PX = (22, 46)
_SEED = 7
_DATA_YAML = """\
# Scenes composed from scikit-learn's bundled scans of handwritten digits (UCI "Optical Recognition of Handwritten
# Digits", E. Alpaydin and C. Kaynak, CC BY 4.0). Made by `hpo data demo`. No `path`: the splits lie beside this file.
train: images/train
val: images/val
test: images/test
names:
{names}
"""


def make(folder: Path) -> Path:
    """Make the demo set in ``folder`` and return its data.yaml; does nothing if it is made already.

    The set appears complete or not at all: it is written beside ``folder`` and renamed. Raises UsageError if ``folder``
    holds something else.
    """
    yaml = folder / "data.yaml"
    if yaml.is_file():
        return yaml
    try:
        with files.folder_aside(folder) as draft:
            _write(draft)
    except OSError as error:
        if not yaml.is_file():  # otherwise another process made it meanwhile
            told = f"{folder}: can't make the demo set here ({error}); free the place or name another folder"
            raise UsageError(told) from error
    return yaml


def _write(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    for split, scans in _load().items():
        rng = np.random.default_rng([_SEED, *split.encode()])
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for index in range(_SCENES[split]):
            pixels, rows = _scene(scans, rng)
            Image.fromarray(pixels).save(images / f"{index:04d}.png", compress_level=6)
            (labels / f"{index:04d}.txt").write_text("".join(f"{row}\n" for row in rows))
    names = "\n".join(f"  {index}: {name}" for index, name in enumerate(NAMES))
    (folder / "data.yaml").write_text(_DATA_YAML.format(names=names))


def _load() -> dict[str, Scans]:
    """Return the scans by split; no scan is in two of them."""
    import numpy as np
    from sklearn.datasets import load_digits

    bundle = load_digits()
    scans = np.rint(bundle.images * (255 / 16)).astype(np.uint8)
    order = np.random.default_rng(_SEED).permutation(len(scans))
    splits: dict[str, Scans] = {split: {} for split in _SCENES}
    for digit in range(10):
        own = order[bundle.target[order] == digit]
        for split, (start, stop) in _SCANS.items():
            splits[split][digit] = scans[own[int(start * len(own)) : int(stop * len(own))]]
    return splits


def _pick(scans: Scans, digit: int, rng: np.random.Generator) -> Pixels:
    picked: Pixels = scans[digit][int(rng.integers(len(scans[digit])))]
    return picked


def _scene(scans: Scans, rng: np.random.Generator) -> tuple[Pixels, list[str]]:
    """Return a picture, (96, 96, 3) RGB, and its label rows; one scene in ten has no digit to find."""
    canvas = _paper(rng)
    for _ in range(int(rng.integers(0, 3))):
        _stamp_clutter(canvas, scans, rng)
    rows: list[str] = []
    taken: list[Box] = []
    wanted = 0 if rng.random() < 0.1 else int(rng.integers(2, 6))
    for _ in range(wanted):
        label = int(rng.integers(len(_DIGITS)))
        ink = _resize(_pick(scans, _DIGITS[label], rng), int(rng.integers(*_SIZES_PX)))
        place = _free_place(ink, taken, rng)
        if place is not None:
            taken.append(place)
            _blend(canvas, ink, place, rng)
            rows.append(_label_row(label, place))
    return canvas, rows


def _paper(rng: np.random.Generator) -> Pixels:
    """Return tinted paper with a gradient of light and with grain."""
    import numpy as np

    tint = rng.integers(170, 240, 3)
    slope = np.linspace(-1, 1, _SIDE_PX)
    light = slope[:, None] * rng.integers(-20, 21) + slope[None, :] * rng.integers(-20, 21)
    grain = rng.integers(-12, 13, (_SIDE_PX, _SIDE_PX, 3))
    paper: Pixels = np.clip(tint + light[..., None] + grain, 0, 255).astype(np.uint8)
    return paper


def _stamp_clutter(canvas: Pixels, scans: Scans, rng: np.random.Generator) -> None:
    """Draw a piece of a digit that is no class of the set, faint or strong; it carries no label."""
    ink = _resize(_pick(scans, int(rng.choice(_CLUTTER_DIGITS)), rng), int(rng.integers(*_SIZES_PX)))
    height, width = ink.shape
    piece = ink[: height // 2] if rng.random() < 0.5 else ink[:, : max(1, width // 2)]
    x, y = (int(rng.integers(0, _SIDE_PX - length + 1)) for length in (piece.shape[1], piece.shape[0]))
    _blend(canvas, piece, (x, y, x + piece.shape[1], y + piece.shape[0]), rng)


def _resize(scan: Pixels, height_px: int) -> Pixels:
    """Return the scan's ink box at ``height_px``, aspect kept; Pillow resizes bytes in integers, equal on all
    machines.
    """
    import numpy as np
    from PIL import Image

    rows, columns = (np.flatnonzero((scan > 64).any(axis=axis)) for axis in (1, 0))
    ink = scan[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width_px = max(4, round(height_px * ink.shape[1] / ink.shape[0]))
    return np.asarray(Image.fromarray(ink).resize((width_px, height_px), Image.Resampling.BICUBIC))


def _free_place(ink: Pixels, taken: list[Box], rng: np.random.Generator) -> Box | None:
    """Return a box that covers at most a quarter of another one, or None after 20 tries."""
    height, width = ink.shape
    for _ in range(20):
        x, y = int(rng.integers(0, _SIDE_PX - width + 1)), int(rng.integers(0, _SIDE_PX - height + 1))
        box = (x, y, x + width, y + height)
        if all(_overlap(box, other) <= 0.25 for other in taken):
            return box
    return None


def _overlap(box: Box, other: Box) -> float:
    """Return the intersection divided by the smaller of the two areas."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))


def _blend(canvas: Pixels, ink: Pixels, box: Box, rng: np.random.Generator) -> None:
    """Draw ``ink`` (h, w) in a dark colour of its own into ``box`` of ``canvas``, in place."""
    colour = rng.integers(0, 90, 3)
    x0, y0, x1, y1 = box
    paper = canvas[y0:y1, x0:x1].astype(int)
    alpha = ink[..., None].astype(int)
    canvas[y0:y1, x0:x1] = (paper * (255 - alpha) + colour * alpha) // 255


def _label_row(label: int, box: Box) -> str:
    x0, y0, x1, y1 = box
    values = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
    return " ".join([str(label), *(f"{value / _SIDE_PX:.6f}" for value in values)])
