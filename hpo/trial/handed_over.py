"""The files of a folder that is handed over, by name, and the operating point in it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal

from hpo import files
from hpo.errors import UsageError
from hpo.trial.operating_point import OperatingPoint, SweepResult

WEIGHTS, POINT, METRICS, DATA = "best.pt", "operating_point.json", "metrics.json", "data.yaml"
HYPERPARAMETERS, PREDICT, CARD = "hyperparameters.yaml", "predict.yaml", "model-card.md"
EXPORTS = {"onnx": "best.onnx", "openvino": "best_openvino_model", "engine": "best.engine"}
"""Name that Ultralytics gives an export of best.pt, by format."""

Choice = Literal["recommended", "best", "default"]
_MOST_BYTES = 1 << 24
"""Bytes of an ``operating_point.json`` beyond which it is not read."""
_MOST_DETECTIONS, _MOST_PX = 1_000_000, 32_768


def document(point: OperatingPoint, imgsz: int, source: str, sweep: SweepResult | None) -> dict[str, Any]:
    """Build the JSON form of an ``operating_point.json`` of ``hpo promote``.

    ``imgsz`` is in pixels; ``source`` is for people.
    """
    found = {} if sweep is None else {"sweep": sweep.to_dict()}
    return {"point": point.to_dict(), "imgsz": imgsz, "source": source, **found}


def point_of(raw: dict[str, Any], choice: Choice = "recommended") -> tuple[OperatingPoint, int | None]:
    """Return the setting in an ``operating_point.json``, and its image size in pixels.

    The file may be one of ``document``, or one that a sweep wrote. Raises KeyError where the file has no such point,
    and TypeError or ValueError where its content is not one of ours.
    """
    point, imgsz = _chosen(raw, choice)
    if wrong := _wrong(point, imgsz):
        raise ValueError(wrong)
    return point, imgsz


def read_point(file: Path, choice: Choice = "recommended") -> tuple[OperatingPoint, int | None]:
    """Return what ``point_of`` finds in a file, which may be anyone's. Raises UsageError."""
    if not files.is_file(file):
        raise UsageError(f"{file}: no such file; make it with: hpo sweep WEIGHTS --data DATA --save DIR")
    try:
        return point_of(_json(file), choice)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise UsageError(
            f"{file}: is no operating_point.json of hpo promote or hpo sweep ({type(error).__name__}: {error}); "
            "make it anew"
        ) from error


def _json(file: Path) -> Any:
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES} bytes")
    return json.loads(file.read_bytes())


def _wrong(point: OperatingPoint, imgsz: object) -> str:
    """Say which value no detector can be used with; empty where there is none."""
    shares = {"conf": point.conf, "floor": point.floor, "iou": 0.0 if point.iou is None else point.iou}
    shares |= {f"per_class_conf[{index}]": value for index, value in enumerate(point.per_class_conf or ())}
    for name, share in shares.items():
        if not (_is_number(share) and 0 <= share <= 1):
            return f"{name} {share!r} is not in [0, 1]"
    if point.sigma is not None and not (_is_number(point.sigma) and 0 < point.sigma < math.inf):
        return f"sigma {point.sigma!r} is not above 0"
    for name, value, most in (("max_det", point.max_det, _MOST_DETECTIONS), ("imgsz", imgsz, _MOST_PX)):
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not (is_whole and 1 <= value <= most) and not (name == "imgsz" and value is None):  # type: ignore[operator]
            return f"{name} {value!r} is no whole number from 1 to {most}"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _chosen(raw: dict[str, Any], choice: Choice) -> tuple[OperatingPoint, int | None]:
    if "point" in raw and choice == "recommended":
        return OperatingPoint.from_dict(raw["point"]), raw["imgsz"]
    swept = raw["sweep"] if "point" in raw else raw
    known = {name: value for name, value in swept.items() if name in SweepResult.__dataclass_fields__}
    result = SweepResult.from_dict(known)
    points = {"recommended": result.recommended_point, "best": result.best.point, "default": result.default.point}
    return points[choice], raw.get("imgsz")
