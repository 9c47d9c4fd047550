"""Facts that Ultralytics reads from a file of weights, and its download of weights by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ultralytics.nn.tasks import guess_model_task, load_checkpoint
from ultralytics.utils.downloads import attempt_download_asset

from hpo.training.ultralytics_internals import local_paths

_WITHOUT_NMS = {"v10Detect", "RTDETRDecoder"}


def facts(weights: Path) -> dict[str, Any]:
    """Return {task, head_has_nms}: the model's task, and whether its predictions need suppression.

    Raises what Ultralytics raises on a broken file.
    """
    local_paths.allow_any_folder()
    loaded, _ = load_checkpoint(str(weights))
    layer = type(loaded.model[-1]).__name__
    return {
        "task": guess_model_task(loaded),
        "head_has_nms": not getattr(loaded, "end2end", False) and layer not in _WITHOUT_NMS,
    }


def download(name: str) -> None:
    """Fetch the weights ``name`` into the working folder, where Ultralytics offers them and there is a network."""
    attempt_download_asset(name)
