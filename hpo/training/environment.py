"""The environment that Ultralytics reads when it is imported; the worker prepares it before the forkserver starts."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from hpo import files

FONTS = ("Arial.ttf", "Arial.Unicode.ttf")
"""Names of the fonts that Ultralytics looks for: the second one where a class name is not ASCII."""


def prepare(home: Path) -> dict[str, str]:
    """Create Ultralytics' own folder under ``home`` and return the variables for a trial's process.

    A folder of our own keeps a user's settings (which turn on MLflow, Comet, ...) out of the trials. Fonts in it save
    a network probe of up to 3 s in each process, and a download of 23 MB where a class name is not ASCII (ultralytics
    8.4.190, data/utils.py:834 and utils/plotting.py:334).
    """
    config = home / "ultralytics"
    folder = config / "Ultralytics"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FONTS:
        _place_font(folder / name)
    return {
        "YOLO_CONFIG_DIR": str(config),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
        "ULTRALYTICS_API_KEY": "",
        **kernel_cache(home),
    }


def kernel_cache(home: Path) -> dict[str, str]:
    """Return the place for compiled kernels if not beside their source, which a read-only installation does not allow.

    Without a place, each process would compile them again, for about 15 s. It is set before numba is imported.
    """
    beside = Path(__file__).parents[1] / "detection"
    if os.access(beside, os.W_OK) or "NUMBA_CACHE_DIR" in os.environ:
        return {}
    return {"NUMBA_CACHE_DIR": str(home / "cache" / "numba")}


def _place_font(target: Path) -> None:
    if target.exists():
        return
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return
    with files.written_aside(target) as aside:
        shutil.copyfile(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", aside)
