"""The files of a folder that is handed over, by name, and the operating point in it."""

from __future__ import annotations

from typing import Any, Literal

from hpo.trial.operating_point import OperatingPoint, SweepResult

WEIGHTS, POINT, METRICS, DATA = "best.pt", "operating_point.json", "metrics.json", "data.yaml"
HYPERPARAMETERS, PREDICT, CARD = "hyperparameters.yaml", "predict.yaml", "model-card.md"
EXPORTS = {"onnx": "best.onnx", "openvino": "best_openvino_model", "engine": "best.engine"}
"""Name that Ultralytics gives an export of best.pt, by format."""

Choice = Literal["recommended", "best", "default"]


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
    if "point" in raw and choice == "recommended":
        return OperatingPoint.from_dict(raw["point"]), raw["imgsz"]
    swept = raw["sweep"] if "point" in raw else raw
    known = {name: value for name, value in swept.items() if name in SweepResult.__dataclass_fields__}
    result = SweepResult.from_dict(known)
    points = {"recommended": result.recommended_point, "best": result.best.point, "default": result.default.point}
    return points[choice], raw.get("imgsz")
