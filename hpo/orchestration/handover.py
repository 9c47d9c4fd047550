"""The files that a user takes away: weights, and settings that Ultralytics reads as they are."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from hpo import files
from hpo.dataset.description import write_resolved
from hpo.errors import HpoError
from hpo.study.records import TrialRow
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.text.ultralytics_yaml import predict_arguments, write_arguments
from hpo.trial import wording
from hpo.trial.operating_point import DEFAULT, OperatingPoint
from hpo.trial.paths import AttemptPaths


@dataclass(frozen=True)
class Handover:
    weights: Path
    hyperparameters: Path
    predict: Path
    operating_point: Path | None
    """Where the trial was swept: all that the sweep found, as JSON."""


def weights_of(row: TrialRow) -> Path | None:
    """best.pt of a trial, while it is kept."""
    best = AttemptPaths(Path(row.folder)).best if row.folder else None
    return best if best is not None and best.exists() else None


def save(spec: StudySpec, row: TrialRow, folder: Path) -> Handover:
    """Write best.pt, hyperparameters.yaml (with the data.yaml it names), predict.yaml and, of a swept trial,
    operating_point.json into ``folder``."""
    source = weights_of(row)
    if source is None:
        raise HpoError(
            f"trial {row.number}: its weights are no longer on this machine (keep.weights: {spec.keep.weights})"
        )
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found = None if row.sweep is None else folder / "operating_point.json"
    out = Handover(folder / "best.pt", folder / "hyperparameters.yaml", folder / "predict.yaml", found)
    with files.written_aside(out.weights) as aside:
        shutil.copyfile(source, aside)
    title = f"trial {row.number} of study {spec.name}: {spec.objective} {row.value:.4f} on the validation split"
    data = _place_data(spec, folder)
    train = {"task": "detect", "mode": "train", "model": spec.model, "data": data, **row.train, "patience": 0}
    again = f"{title}\nTrain it again: yolo train cfg={out.hyperparameters.name}"
    write_arguments(out.hyperparameters, again, train)
    imgsz = row.train.get("imgsz", 640)
    setting = "" if row.sweep is None else f"\n{wording.gain(row.sweep)}"
    use = f"{title}{setting}\nUse it: yolo predict cfg={out.predict.name} source=IMAGES"
    write_arguments(out.predict, use, predict_arguments(out.weights, imgsz, _recommended(row)))
    if out.operating_point is not None and row.sweep is not None:
        out.operating_point.write_text(json.dumps({**row.sweep.to_dict(), "imgsz": imgsz}, indent=2))
    return out


def _recommended(row: TrialRow) -> OperatingPoint:
    """What a sweep found only where its gain is proven; what was sampled, because the trial was measured there."""
    if row.sweep is not None:
        return row.sweep.recommended_point
    return row.operating_point or DEFAULT


def _place_data(spec: StudySpec, folder: Path) -> str:
    """A data.yaml with an absolute ``path``: Ultralytics takes a relative one from the working folder."""
    source = Path(spec.data)
    if not source.exists():
        return spec.data
    write_resolved(source, folder / "data.yaml")
    return str(folder / "data.yaml")
