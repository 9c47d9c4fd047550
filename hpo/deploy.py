"""The public Python API: a detector used exactly as ``hpo sweep`` has measured it.

    from hpo import deploy

    detector = deploy.load("best.pt", "swept/operating_point.json")
    for result in detector.predict("images/"):
        print(result.path, result.boxes.xyxy, result.boxes.conf, result.boxes.cls)

``yolo predict cfg=predict.yaml`` does the same for settings that Ultralytics knows (hard and class-agnostic NMS, one
confidence). For Soft-NMS, DIoU-NMS, weighted boxes fusion and a confidence a class there is this module. Weights are
loaded with Ultralytics' safe loading: a file that would run code of its author is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import UsageError
from hpo.trial.handed_over import Choice, point_of
from hpo.trial.operating_point import OperatingPoint

if TYPE_CHECKING:
    from hpo.training.predictor import Detector


def load(
    weights: str | Path,
    settings: str | Path | OperatingPoint,
    *,
    point: Choice = "recommended",
    trust: bool = False,
    device: str = "auto",
) -> Detector:
    """Weights (.pt) with their settings, ready to predict.

    ``settings``: an ``operating_point.json`` of ``hpo promote`` or ``hpo sweep --save``, or an ``OperatingPoint``.
    ``point``: which one of the file: ``recommended`` (the default: ``best`` where its gain is proven), ``best``, or ``default`` (Ultralytics'
    own). ``trust``: unpickle the weights as they are, which can run any code of their author. ``device``: ``auto``
    (first GPU, else CPU), ``cpu``, or a CUDA index such as ``0``.

    ``Detector.predict(source, **kwargs)`` takes what ``YOLO.predict`` takes, but for ``conf``, ``iou``, ``max_det`` and
    ``agnostic_nms``, which the settings decide, and returns a list of Ultralytics' ``Results``. ``imgsz`` is that of
    the sweep, or of the training where the settings do not say. Raises ``hpo.errors.UsageError`` for weights that
    can't be used (no file, damaged, untrusted, no detector), for settings that can't be read, and where they do not fit
    each other.
    """
    chosen, imgsz = (settings, None) if isinstance(settings, OperatingPoint) else _read(Path(settings), point)
    from hpo.training.predictor import Detector
    from hpo.training.weights import load as load_weights

    return Detector(load_weights(Path(weights), trust=trust), chosen, device=device, imgsz=imgsz)


def _read(file: Path, choice: Choice) -> tuple[OperatingPoint, int | None]:
    """The chosen point of a file, and the image size that it was measured at, where the file says so."""
    if choice not in ("recommended", "best", "default"):
        raise UsageError(f"point {choice!r}: must be recommended, best or default")
    try:
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return point_of(raw, choice)
    except FileNotFoundError:
        raise UsageError(f"{file}: no such file; make it with: hpo sweep WEIGHTS --data DATA --save DIR") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{file}: is no operating_point.json of hpo sweep ({type(error).__name__}: {error}); make it anew"
        ) from error
