"""The files that a user takes away: weights, and settings that Ultralytics reads as they are."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter
from typing_extensions import override

from hpo.dataset.description import write_resolved
from hpo.errors import HpoError
from hpo.spec.schema import StudySpec
from hpo.study.records import TrialRow
from hpo.trial.paths import AttemptPaths

DEFAULT_CONF, DEFAULT_IOU, DEFAULT_MAX_DET = 0.25, 0.7, 300
"""Of ``yolo predict`` (ultralytics 8.4.190)."""


@dataclass(frozen=True)
class Handover:
    weights: Path
    hyperparameters: Path
    predict: Path


def weights_of(row: TrialRow) -> Path | None:
    """best.pt of a trial, while it is kept."""
    best = AttemptPaths(Path(row.folder)).best if row.folder else None
    return best if best is not None and best.exists() else None


def save(spec: StudySpec, row: TrialRow, folder: Path) -> Handover:
    """Write best.pt, hyperparameters.yaml (with the data.yaml it names) and predict.yaml into ``folder``."""
    source = weights_of(row)
    if source is None:
        raise HpoError(
            f"trial {row.number}: its weights are no longer on this machine (keep.weights: {spec.keep.weights})"
        )
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    out = Handover(folder / "best.pt", folder / "hyperparameters.yaml", folder / "predict.yaml")
    aside = out.weights.with_suffix(".tmp")
    shutil.copyfile(source, aside)
    aside.replace(out.weights)
    title = f"trial {row.number} of study {spec.name}: {spec.objective.metric} {row.value:.4f} on the validation split"
    data = _place_data(spec, folder)
    train = {"task": "detect", "mode": "train", "model": spec.model, "data": data, **row.train, "patience": 0}
    _write(out.hyperparameters, f"{title}\nTrain it again: yolo train cfg={out.hyperparameters.name}", train)
    _write(
        out.predict, f"{title}\nUse it: yolo predict cfg={out.predict.name} source=IMAGES", _predict(row, out.weights)
    )
    return out


def _place_data(spec: StudySpec, folder: Path) -> str:
    """A data.yaml with an absolute ``path``: Ultralytics takes a relative one from the working folder."""
    source = Path(spec.data)
    if not source.exists():
        return spec.data
    write_resolved(source, folder / "data.yaml")
    return str(folder / "data.yaml")


def _predict(row: TrialRow, weights: Path) -> dict[str, Any]:
    point = row.operating_point
    return {
        "task": "detect",
        "mode": "predict",
        "model": str(weights),
        "imgsz": row.train.get("imgsz", 640),
        "conf": DEFAULT_CONF if point is None else point.conf,
        "iou": DEFAULT_IOU if point is None else point.iou,
        "max_det": DEFAULT_MAX_DET if point is None else point.max_det,
        "agnostic_nms": point is not None and point.agnostic_nms,
    }


class _ForPyYaml(RoundTripRepresenter):
    """PyYAML, which Ultralytics reads with, takes ``1e-05`` for text: a number needs its dot."""

    @override
    def represent_float(self, data: float) -> Any:
        text = repr(data)
        if "e" in text and "." not in text:
            text = text.replace("e", ".0e")
        return self.represent_scalar("tag:yaml.org,2002:float", text)


_ForPyYaml.add_representer(float, _ForPyYaml.represent_float)


def _write(path: Path, title: str, values: dict[str, Any]) -> None:
    yaml = YAML()
    yaml.Representer = _ForPyYaml
    aside = path.with_suffix(".tmp")
    with aside.open("w") as file:
        file.write("".join(f"# {line}\n" for line in title.splitlines()))
        yaml.dump(values, file)
    aside.replace(path)
