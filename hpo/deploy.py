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

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import UsageError
from hpo.trial.handed_over import POINT, WEIGHTS, Choice, read_point
from hpo.trial.operating_point import OperatingPoint

if TYPE_CHECKING:
    from hpo.training.ultralytics_internals.predictor import Detector


def load(
    weights: str | Path,
    settings: str | Path | OperatingPoint,
    *,
    point: Choice = "recommended",
    trust: bool = False,
    device: str = "auto",
) -> Detector:
    """Load weights (.pt) with their settings, ready to predict.

    ``Detector.predict(source, **kwargs)`` takes what ``YOLO.predict`` takes, but for ``conf``, ``iou``, ``max_det`` and
    ``agnostic_nms``, which the settings decide, and returns a list of Ultralytics' ``Results``. ``imgsz`` is that of
    the sweep, or of the training where the settings do not say.

    Args:
        weights: The file of a trained detector.
        settings: An ``operating_point.json`` of ``hpo promote`` or ``hpo sweep --save``, or an ``OperatingPoint``.
        point: Which one of the file: ``recommended`` (``best`` where its gain is proven), ``best``, or ``default``
            (Ultralytics' own).
        trust: Unpickle the weights as they are, which can run any code of their author.
        device: ``auto`` (first GPU, else CPU), ``cpu``, or a CUDA index such as ``0``.

    Returns:
        The detector.

    Raises:
        hpo.errors.UsageError: The weights can't be used (no file, damaged, untrusted, no detector), the settings
            can't be read, or they do not fit each other.
    """
    chosen, imgsz = (settings, None) if isinstance(settings, OperatingPoint) else _read(Path(settings), point)
    from hpo.training.ultralytics_internals.predictor import Detector
    from hpo.training.ultralytics_internals.weights import load as load_weights

    return Detector(load_weights(Path(weights), trust=trust), chosen, device=device, imgsz=imgsz)


class _Registered:
    """What ``mlflow.pyfunc.load_model("models:/NAME@champion")`` gives of a model that ``hpo promote`` registered."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def predict(self, images: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict a batch of images.

        Args:
            images: (n, height, width, 3) uint8, RGB; or a sequence of such images.
            params: What ``Detector.predict`` takes, by name; None for nothing.

        Returns:
            A pandas DataFrame, a row a detection: image (index), x1, y1, x2, y2 in pixels, score in [0, 1], class,
            name.
        """
        import pandas as pd

        rows = []
        for index, image in enumerate(images):
            (result,) = self._detector.predict(image[..., ::-1], **(params or {}))  # Ultralytics takes arrays as BGR
            boxes = (result.boxes.xyxy.tolist(), result.boxes.conf.tolist(), result.boxes.cls.tolist())
            for box, score, cls in zip(*boxes, strict=True):
                rows.append((index, *box, score, int(cls), self._detector.names[int(cls)]))
        return pd.DataFrame(rows, columns=["image", "x1", "y1", "x2", "y2", "score", "class", "name"])


def _load_pyfunc(folder: str) -> _Registered:
    """Load a registered model; MLflow looks for it by this name.

    Args:
        folder: What ``hpo promote`` wrote.

    Returns:
        The model, with MLflow's ``predict``.
    """
    return _Registered(load(Path(folder) / WEIGHTS, Path(folder) / POINT))


def _read(file: Path, choice: Choice) -> tuple[OperatingPoint, int | None]:
    """The chosen point of a file, and the image size that it was measured at, where the file says so."""
    if choice not in ("recommended", "best", "default"):
        raise UsageError(f"point {choice!r}: must be recommended, best or default")
    return read_point(file, choice)
