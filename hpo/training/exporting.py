"""Export of weights to another runtime's format, by Ultralytics but without the packages that it would install."""

from __future__ import annotations

from pathlib import Path

from ultralytics import YOLO

from hpo.errors import HpoError
from hpo.training.ultralytics_internals import safe_loading
from hpo.training.ultralytics_internals.capture import device as resolved_device
from hpo.trial.handed_over import EXPORTS

_SIMPLIFIED = ("onnx", "engine")
"""Formats that know the argument; the others refuse it (ultralytics 8.4.190)."""


def export(weights: Path, form: str, imgsz: int, device: str, max_det: int = 300) -> Path:
    """Export ``weights``, in a process of its own; the file lies beside them under Ultralytics' own name.

    ``form`` is a key of ``EXPORTS``; ``imgsz`` is in pixels; a head without suppression puts out ``max_det`` boxes. Any
    input shape is accepted, as by the .pt: with a fixed one Ultralytics' predictor would pad to a square, which is
    another input and gives other detections. The export is not simplified: that needs one more package and does not
    change the detections.
    """
    safe_loading.restrict()
    model = YOLO(str(weights), task="detect")
    plain = {"simplify": False} if form in _SIMPLIFIED else {}
    asked = {"format": form, "imgsz": imgsz, "dynamic": True, "max_det": max_det, "verbose": False, **plain}
    made = model.export(device=resolved_device(device), **asked)
    target = weights.with_name(EXPORTS[form])
    if Path(made) != target or not target.exists():
        raise HpoError(f"{weights}: Ultralytics wrote {made}, not {target}")
    return target
