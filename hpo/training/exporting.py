"""Weights in the format of another runtime, made by Ultralytics without what it would install by itself."""

from __future__ import annotations

from pathlib import Path

from ultralytics import YOLO

from hpo.errors import HpoError
from hpo.training.ultralytics_internals.capture import device as resolved_device
from hpo.trial.handed_over import EXPORTS

_SIMPLIFIED = ("onnx", "engine")
"""Formats that know the argument; the others refuse it (ultralytics 8.4.190)."""


def export(weights: Path, form: str, imgsz: int, device: str) -> Path:
    """Beside ``weights``, under Ultralytics' own name. ``form``: a key of ``EXPORTS``; ``imgsz``: pixels.

    Any input shape is taken, as the .pt takes any: with a fixed one Ultralytics' predictor would pad to a square, which
    is another input and gives other detections. No simplification: it needs a package more and changes nothing of what
    is detected.
    """
    model = YOLO(str(weights), task="detect")
    plain = {"simplify": False} if form in _SIMPLIFIED else {}
    made = model.export(format=form, imgsz=imgsz, dynamic=True, device=resolved_device(device), verbose=False, **plain)
    target = weights.with_name(EXPORTS[form])
    if Path(made) != target or not target.exists():
        raise HpoError(f"{weights}: Ultralytics wrote {made}, not {target}")
    return target
