"""YAML files of arguments in the form that ``yolo ... cfg=FILE`` reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter
from typing_extensions import override

from hpo import files
from hpo.trial.operating_point import DEFAULT, OperatingPoint


def predict_arguments(weights: Path, imgsz: int, point: OperatingPoint) -> dict[str, Any]:
    """Return the arguments of ``yolo predict`` with ``weights`` at ``point``. Raises ValueError unless it is plain."""
    kind = point.kind.row.predict
    if kind is None or not point.is_plain:
        raise ValueError(f"yolo predict knows no suppression {point.kind} and no confidence a class: use hpo.deploy")
    fixed = {"task": "detect", "mode": "predict", "model": str(weights), "imgsz": imgsz}
    iou = DEFAULT.iou if point.iou is None else point.iou
    return {**fixed, "conf": point.conf, "iou": iou, "max_det": point.max_det, **dict(kind)}


class _ForPyYaml(RoundTripRepresenter):
    """PyYAML reads ``1e-05`` as text, and Ultralytics uses PyYAML: a number needs its dot."""

    @override
    def represent_float(self, data: float) -> Any:
        text = repr(data)
        if "e" in text and "." not in text:
            text = text.replace("e", ".0e")
        return self.represent_scalar("tag:yaml.org,2002:float", text)


_ForPyYaml.add_representer(float, _ForPyYaml.represent_float)


def write_arguments(path: Path, title: str, values: Mapping[str, Any]) -> None:
    """Write a file in one step; ``title`` goes above ``values`` as comment lines."""
    yaml = YAML()
    yaml.Representer = _ForPyYaml
    with files.written_aside(path) as aside, aside.open("w") as file:
        file.write("".join(f"# {line}\n" for line in title.splitlines()))
        yaml.dump(dict(values), file)
