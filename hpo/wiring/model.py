"""The model of a study, on this machine and for others: a YAML is known by its text, weights by their content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo import files
from hpo.errors import SpecError, StudyConflict, UsageError
from hpo.settings import Settings
from hpo.wiring import machine
from hpo.wiring.projecting import checkpoint_store

if TYPE_CHECKING:
    from hpo.launchers.forkserver import ForkserverLauncher
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow
    from hpo.studyfile.checks.model import ModelFacts
    from hpo.studyfile.loader import Loaded
    from hpo.studyfile.reading.train_files import FileArgument
    from hpo.studyfile.schema import StudySpec


@dataclass(frozen=True)
class Model:
    path: str
    """Argument for Ultralytics: a file, or one of its own names, such as yolov8n.yaml."""
    yaml: str | None
    sha256: str
    facts: ModelFacts


def look_at(launcher: ForkserverLauncher, loaded: Loaded, settings: Settings) -> Model:
    """Read the model: a YAML as text; weights are loaded in a separate process (after a download, if given by name)."""
    from hpo.studyfile.reading import models

    spec = loaded.spec
    file, facts = models.yaml_file(spec.model), models.facts(spec.model)
    if file is None and facts is not None and facts.family is None:
        return Model(spec.model, None, files.digest(Path(spec.model)), facts)  # refused: Ultralytics need not load it
    if file is None or facts is None:
        return _probe(launcher, loaded, settings)
    text = file.read_text()
    # the scale is a letter of the name: the same text is another model as yolov8n.yaml and as yolov8s.yaml
    digest = hashlib.sha256(f"{Path(spec.model).name}\n{text}".encode()).hexdigest()
    return Model(spec.model, text, digest, facts)


def _probe(launcher: ForkserverLauncher, loaded: Loaded, settings: Settings) -> Model:
    from hpo.studyfile.checks.model import ModelFacts
    from hpo.studyfile.text.report import Finding
    from hpo.trial.families import Family

    answer = _ask_probe(launcher, loaded.spec.model, settings)
    if "error" in answer:
        raise SpecError(loaded.problems([Finding("model", f"{loaded.spec.model}: {answer['error']}")]))
    family = None if answer["family"] is None else Family(answer["family"])
    facts = ModelFacts(answer["task"], answer["module"], family, answer["channels"])
    return Model(answer["path"], None, answer["sha256"], facts)


def _ask_probe(launcher: ForkserverLauncher, model: str, settings: Settings) -> dict[str, Any]:
    from hpo.training import probe

    request = json.dumps({"model": model, "weights_folder": str(settings.home / "weights")})
    problem = f"model {model}: the process that looks at it gave no answer"
    answer: dict[str, Any] = machine.ask(launcher, probe.main, request, problem)
    return answer


def here(launcher: ForkserverLauncher, study: StudyRow, settings: Settings) -> str:
    """Return the study's model on this machine: its YAML as stored, or weights with the same content."""
    name = Path(study.spec.model).name
    if study.facts.model_yaml is not None:
        placed = settings.study_folder(study.name) / "model" / name  # the name contains the scale
        placed.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(placed, study.facts.model_yaml)
        return str(placed)
    from hpo.orchestration import starting_weights
    from hpo.study.studies import places

    store = checkpoint_store(settings, study, starting_weights.FOLDER)
    remembered = places.known(settings.home, study.searched_name, "model")
    found = starting_weights.obtain(store, study, settings.home / "weights", remembered)
    if found is not None:
        return str(found)
    answer = _ask_probe(launcher, study.spec.model, settings)
    if "error" in answer:
        raise UsageError(f"study {study.name!r}: its weights can't be had on this machine: {answer['error']}")
    if answer["sha256"] != study.identity.model_sha256:
        stored = study.identity.model_sha256
        differs = f"model (content of {answer['path']}): sha256 {answer['sha256'][:12]}, not {stored[:12]}"
        raise StudyConflict(study.name, [differs], "way out: the same weights at that place")
    return str(answer["path"])


def train_files_here(study: StudyRow, settings: Settings) -> dict[str, str]:
    """Return the path of each file of weights that the training arguments name, on this machine: with the same content.

    It is where it was found last, where the study names it, or in the folder of weights. Raises ``UsageError`` where
    none of these is a file, and ``StudyConflict`` where each that is has another content.
    """
    from hpo.study.studies import lifecycle, places

    known = study.facts.train_files or {}
    found: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, named in _named_files(study.spec).items():
        if name not in known:
            continue  # an older version made the study
        put = settings.home / "weights" / Path(named).name
        remembered = places.known(settings.home, study.searched_name, name)
        digests = {file: files.digest(file) for file in (remembered, Path(named), put) if file and file.is_file()}
        if not digests:
            way_out = f"put the file that the study was made with there, or at {put}"
            raise UsageError(f"study {study.name!r}: train.{name}: {named}: no such file on this machine; {way_out}")
        same = next((file for file, sha256 in digests.items() if sha256 == known[name]), None)
        if same is None:
            others[name] = next(iter(digests.values()))
        else:
            found[name] = str(same)
    if others:
        way_out = "way out: the same files at these places on this machine"
        raise StudyConflict(study.name, lifecycle.other_files(study, others), way_out)
    return found


def remember_files(settings: Settings, study: StudyRow, spec: StudySpec) -> dict[str, str]:
    """Remember where the files of weights lie that the arguments of ``spec`` name; return their paths by argument."""
    from hpo.study.studies import places

    named = _named_files(spec)
    for name, path in named.items():
        places.remember(settings.home, study.searched_name, name, Path(path))
    return {str(name): path for name, path in named.items()}


def _named_files(spec: StudySpec) -> dict[FileArgument, str]:
    """Return the training arguments that name a file of weights. A bare name is one that Ultralytics fetches."""
    from hpo.studyfile.reading.train_files import NAMES

    arguments = dict(spec.train)
    named = {name: arguments.get(name) for name in NAMES}
    return {name: value for name, value in named.items() if isinstance(value, str) and Path(value).is_absolute()}


def train_files(spec: StudySpec) -> dict[str, str]:
    """Return the sha256 of each file of weights that the training arguments name and that is on this machine."""
    try:
        return {name: files.digest(Path(value)) for name, value in _named_files(spec).items()}
    except OSError as error:
        way_out = "put the file that the study names there on this machine"
        raise UsageError(f"train: {error.filename}: can't be read: {error.strerror}; {way_out}") from error


def share_weights(settings: Settings, storage: Storage, study: StudyRow, file: Path) -> None:
    from hpo.orchestration import starting_weights
    from hpo.study.studies import lifecycle

    store = checkpoint_store(settings, study, starting_weights.FOLDER)
    if store is not None:
        starting_weights.share(store, study, file, lambda place: lifecycle.set_weights(storage, study, place))
