"""``hpo.demo_data``: a small data set to try things with."""

from __future__ import annotations

import os
from pathlib import Path

from hpo.dataset import digits
from hpo.errors import UsageError


def demo_data(folder: str | os.PathLike[str] = digits.DEFAULT_FOLDER, *, if_missing: bool = True) -> Path:
    """Make the demo set: 280 scenes of handwritten digits, 96 px wide, in three splits and four classes.

    The pictures are composed from the scans that scikit-learn brings along; nothing is fetched, and every run makes the
    same files.

    Args:
        folder: A new folder; it appears whole.
        if_missing: Leave a set that is there as it is; False calls it an error.

    Returns:
        The data.yaml.

    Raises:
        UsageError: ``folder`` holds something else, or a set with ``if_missing=False``.
    """
    place = Path(folder)
    if (place / "data.yaml").exists() and not if_missing:
        raise UsageError(f"{place}: a data set is here already; keep it with --if-missing, or remove the folder first")
    return digits.make(place)
