"""The delivered folder: built beside its target, checked, then renamed into place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpo import files
from hpo.dataset.description import write_resolved
from hpo.errors import UsageError
from hpo.orchestration.workspace import Workspace
from hpo.promotion.measured import Measured
from hpo.promotion.training import Trained
from hpo.study.records import StudyRow
from hpo.studyfile.text.ultralytics_yaml import predict_arguments, write_arguments
from hpo.trial import handed_over as names
from hpo.trial import wording


def refuse_occupied(target: Path) -> None:
    """Raise ``UsageError`` if something is there that would be overwritten, or if the folder can't be made."""
    above = next(folder for folder in target.parents if folder.exists())
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        raise UsageError(f"--output {target}: no folder can be made in {above}; name a place that you may write to")
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        what = "is not empty" if target.is_dir() else "is a file"
        raise UsageError(f"--output {target}: {what}; name a new folder, or remove what is there")


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """Give a folder beside ``target``, which replaces ``target`` at the block's end and is removed if the block
    raises.
    """
    with files.folder_aside(target) as draft:
        yield draft
        refuse_occupied(target)


def write(draft: Path, target: Path, study: StudyRow, trained: Trained, found: Measured, here: Workspace) -> None:
    """Write all files except the card and the exports; ``here`` knows where the study's files lie now.

    Paths inside the files are those of ``target``: Ultralytics takes a relative path from the working folder.
    """
    shutil.copyfile(trained.weights, draft / names.WEIGHTS)
    write_resolved(here.data, draft / names.DATA, val_too=trained.with_val)
    spec = study.spec
    _write_json(draft / names.METRICS, found.document(spec, files.digest(trained.weights)))
    source = _source(trained)
    _write_json(draft / names.POINT, names.document(found.point, found.imgsz, source, trained.sweep))
    model = _model(draft, target, study, here)
    title = f"the final training of study {spec.name}, {trained.epochs} epochs"
    again = f"{title}\nTrain it again: yolo train cfg={names.HYPERPARAMETERS}"
    train = {"task": "detect", "mode": "train", "model": model, "data": str(target / names.DATA)}
    train |= here.found(trained.train)
    write_arguments(draft / names.HYPERPARAMETERS, again, {**train, "patience": 0})
    if found.point.is_plain:  # otherwise hpo.deploy takes the settings' JSON
        setting = f"{wording.setting(found.point)}: {source}"
        use = f"{title}\n{setting}\nUse it: yolo predict cfg={names.PREDICT} source=IMAGES"
        write_arguments(draft / names.PREDICT, use, predict_arguments(target / names.WEIGHTS, found.imgsz, found.point))


def _model(draft: Path, target: Path, study: StudyRow, here: Workspace) -> str:
    """Return the model; a model YAML is copied into the folder under its own name, since the name says the scale."""
    named = Path(study.spec.model)
    if study.facts.model_yaml is None:
        return here.model if named.is_absolute() and not named.exists() else study.spec.model
    name = named.name
    (draft / name).write_text(study.facts.model_yaml)
    return str(target / name)


def _source(trained: Trained) -> str:
    if trained.sweep is not None:
        return f"swept on val with the final weights; {wording.gain(trained.sweep)}"
    return "fixed before the final training"


def _write_json(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")
