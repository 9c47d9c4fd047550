"""The files that a user takes away: weights, and settings in the form that Ultralytics reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hpo import files
from hpo.dataset.description import write_resolved
from hpo.errors import HpoError
from hpo.study.records import StudyRow, TrialRow
from hpo.studyfile.text.ultralytics_yaml import predict_arguments, write_arguments
from hpo.trial import wording
from hpo.trial.handed_over import document
from hpo.trial.paths import AttemptPaths

NAMED: Mapping[str, Path] = MappingProxyType({})
"""No place but those that a study names."""


@dataclass(frozen=True)
class Handover:
    weights: Path
    hyperparameters: Path
    predict: Path | None
    """Path of predict.yaml. None where ``yolo predict`` can't apply the recommended setting; then ``hpo.deploy`` reads
    ``operating_point``.
    """
    operating_point: Path | None
    """Path of the JSON file with the whole result of the sweep; None where the trial was not swept."""


def weights_of(row: TrialRow) -> Path | None:
    """Return the path of a trial's best.pt, or None if it is no longer kept."""
    best = AttemptPaths(Path(row.folder)).best if row.folder else None
    return best if best is not None and best.exists() else None


def save(study: StudyRow, row: TrialRow, folder: Path, places: Mapping[str, Path] = NAMED) -> Handover:
    """Write the files of a trial into ``folder``; ``places`` are those of the study's files that have moved, by key.

    The files are best.pt, hyperparameters.yaml (with the data.yaml that it names), predict.yaml and, for a swept trial,
    operating_point.json. A predict.yaml that is out of date is removed.
    """
    source = weights_of(row)
    if source is None:
        kept = f"keep.weights: {study.spec.keep.weights}"
        raise HpoError(f"trial {row.number}: its weights are no longer on this machine ({kept})")
    spec, folder = study.spec, folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    point, predict = row.recommended_point, folder / "predict.yaml"
    found = None if row.sweep is None and point.is_plain else folder / "operating_point.json"
    used = predict if point.is_plain else None
    out = Handover(folder / "best.pt", folder / "hyperparameters.yaml", used, found)
    with files.written_aside(out.weights) as aside:
        shutil.copyfile(source, aside)
    title = f"trial {row.number} of study {spec.name}: {spec.objective} {row.value:.4f} on the validation split"
    train = {"task": "detect", "mode": "train", "model": _place_model(study, folder, places)}
    train |= {"data": _place_data(places.get("data") or Path(spec.data), folder), **_moved(row.train, places)}
    again = f"{title}\nTrain it again: yolo train cfg={out.hyperparameters.name}"
    write_arguments(out.hyperparameters, again, {**train, "patience": 0})
    imgsz = row.train.get("imgsz", 640)
    if out.predict is None:
        predict.unlink(missing_ok=True)
    else:
        setting = "" if row.sweep is None else f"\n{wording.gain(row.sweep)}"
        use = f"{title}{setting}\nUse it: yolo predict cfg={out.predict.name} source=IMAGES"
        write_arguments(out.predict, use, predict_arguments(out.weights, imgsz, point))
    if out.operating_point is not None:
        swept = None if row.sweep is None else {**row.sweep.to_dict(), "imgsz": imgsz}
        files.write_text(out.operating_point, json.dumps(swept or document(point, imgsz, title, None), indent=2))
    return out


def _moved(train: Mapping[str, Any], places: Mapping[str, Path]) -> dict[str, Any]:
    return {name: str(places[name]) if name in places else value for name, value in train.items()}


def _place_model(study: StudyRow, folder: Path, places: Mapping[str, Path]) -> str:
    """Return the model as the study names it, or where it is now; a YAML that is gone is written to ``folder``."""
    named = Path(study.spec.model)
    if not named.is_absolute() or named.exists():
        return study.spec.model
    if study.facts.model_yaml is None:
        return str(places.get("model", named))
    files.write_text(folder / named.name, study.facts.model_yaml)
    return str(folder / named.name)


def _place_data(source: Path, folder: Path) -> str:
    """Write a data.yaml with an absolute ``path``: Ultralytics resolves a relative one from the working folder."""
    if not source.exists():
        return str(source)
    write_resolved(source, folder / "data.yaml")
    return str(folder / "data.yaml")
