"""The files of a folder that is handed over, by name, and the operating point in it."""

from __future__ import annotations

from typing import Any, Literal

from hpo.trial.operating_point import OperatingPoint, SweepResult

WEIGHTS, POINT, METRICS, DATA = "best.pt", "operating_point.json", "metrics.json", "data.yaml"
HYPERPARAMETERS, PREDICT, CARD = "hyperparameters.yaml", "predict.yaml", "model-card.md"
EXPORTS = {"onnx": "best.onnx", "openvino": "best_openvino_model", "engine": "best.engine"}
"""What Ultralytics names an export of best.pt."""

Choice = Literal["recommended", "best", "default"]


def document(point: OperatingPoint, imgsz: int, source: str, sweep: SweepResult | None) -> dict[str, Any]:
    """The JSON form of an ``operating_point.json`` of ``hpo promote``. ``imgsz``: pixels; ``source``: for people."""
    found = {} if sweep is None else {"sweep": sweep.to_dict()}
    return {"point": point.to_dict(), "imgsz": imgsz, "source": source, **found}


def point_of(raw: dict[str, Any], choice: Choice = "recommended") -> tuple[OperatingPoint, int | None]:
    """The setting of an ``operating_point.json`` (of ``document``, or what a sweep wrote), and its image size, pixels.

    Raises KeyError where the file has no such point, and TypeError or ValueError where it is none of ours.
    """
    if "point" in raw and choice == "recommended":
        return OperatingPoint.from_dict(raw["point"]), raw["imgsz"]
    swept = raw["sweep"] if "point" in raw else raw
    known = {name: value for name, value in swept.items() if name in SweepResult.__dataclass_fields__}
    result = SweepResult.from_dict(known)
    points = {"recommended": result.recommended_point, "best": result.best.point, "default": result.default.point}
    return points[choice], raw.get("imgsz")
