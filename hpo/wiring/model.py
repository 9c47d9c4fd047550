"""The model of a study, on this machine and for others: a YAML is known by its text, weights by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
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


def look_at(launcher: ForkserverLauncher, loaded: Loaded, settings: Settings, trusted: Collection[str] = ()) -> Model:
    """Read the model: a YAML as text; weights are loaded in a separate process (after a download, if given by name).

    So are weights that the training arguments name. ``trusted`` holds the sha256 of files that may be unpickled without
    restriction. Raises SpecError for weights that are refused.
    """
    from hpo.studyfile.reading import models

    spec, probe = loaded.spec, _Probe(launcher, settings, trusted)
    file, facts = models.yaml_file(spec.model), models.facts(spec.model)
    if file is None and facts is not None and facts.family is None:
        return Model(spec.model, None, files.digest(Path(spec.model)), facts)  # refused: Ultralytics need not load it
    if file is None or facts is None:
        return _weights(loaded, probe.ask(spec.model, _weights_under_train(spec)))
    if others := _weights_under_train(spec):
        _raise_refusal(loaded, probe.ask(None, others))
    text = file.read_text()
    return Model(spec.model, text, _digest(spec.model, text), facts)


def trusted(named: Iterable[Path]) -> dict[str, str]:
    """Return the sha256 of each file that a person trusts, by its path. Raises UsageError."""
    try:
        return {str(file): files.digest(file) for file in named}
    except OSError as error:
        raise UsageError(
            f"--trust {error.filename}: can't be read: {error.strerror}; name a file of weights"
        ) from error


def _digest(name: str, text: str) -> str:
    """Return the identity of a YAML.

    The scale is a letter of the name: the same text is another model as yolov8n.yaml and as yolov8s.yaml.
    """
    return hashlib.sha256(f"{Path(name).name}\n{text}".encode()).hexdigest()


def _weights(loaded: Loaded, answer: dict[str, Any]) -> Model:
    from hpo.studyfile.checks.model import ModelFacts
    from hpo.trial.families import Family

    _raise_refusal(loaded, answer)
    family = None if answer["family"] is None else Family(answer["family"])
    facts = ModelFacts(answer["task"], answer["module"], family, answer["channels"])
    return Model(answer["path"], None, answer["sha256"], facts)


def _raise_refusal(loaded: Loaded, answer: dict[str, Any]) -> None:
    from hpo.studyfile.text.report import Finding

    if "error" in answer:
        named = f"{loaded.spec.model}: " if answer["at"] == "model" else ""
        raise SpecError(loaded.problems([Finding(answer["at"], f"{named}{answer['error']}")]))


@dataclass(frozen=True)
class _Probe:
    """Asks a process of its own about weights."""

    launcher: ForkserverLauncher
    settings: Settings
    trusted: Collection[str]
    """sha256 of files that may be unpickled without restriction."""

    def ask(self, model: str | None, train_files: Mapping[str, str]) -> dict[str, Any]:
        """Return what ``hpo.training.probe.main`` says; ``train_files`` holds paths by the key that names them."""
        from hpo.training import probe

        given = {"train_files": dict(train_files), "trusted": sorted(self.trusted)}
        request = json.dumps({"model": model, "weights_folder": str(self.settings.home / "weights"), **given})
        problem = f"model {model}: the process that looks at it gave no answer"
        answer: dict[str, Any] = machine.ask(self.launcher, probe.main, request, problem)
        return answer


def here(launcher: ForkserverLauncher, study: StudyRow, settings: Settings) -> str:
    """Return the study's model on this machine: its YAML as stored, or weights with the same content."""
    if study.facts.model_yaml is not None:
        return _yaml_here(study, study.facts.model_yaml, settings)
    from hpo.orchestration import starting_weights
    from hpo.study.studies import places

    store = checkpoint_store(settings, study, starting_weights.FOLDER)
    remembered = places.known(settings.home, study.searched_name, "model")
    found = starting_weights.obtain(store, study, settings.home / "weights", remembered)
    if found is not None:
        return str(found)
    answer = _Probe(launcher, settings, study.facts.trusted.values()).ask(study.spec.model, {})
    if "error" in answer:
        raise UsageError(f"study {study.name!r}: its weights can't be had on this machine: {answer['error']}")
    if answer["sha256"] != study.identity.model_sha256:
        stored = study.identity.model_sha256
        differs = f"model (content of {answer['path']}): sha256 {answer['sha256'][:12]}, not {stored[:12]}"
        raise StudyConflict(study.name, [differs], "way out: the same weights at that place")
    return str(answer["path"])


def _yaml_here(study: StudyRow, text: str, settings: Settings) -> str:
    """Write the stored text of the model, which is whoever may write the study's row's, once it is found harmless.

    Raises StudyConflict where it is not the text that the study was made with, and SpecError where it would run code.
    """
    from hpo.studyfile.reading import models

    name, found = Path(study.spec.model).name, _digest(study.spec.model, text)  # the name contains the scale
    if found != study.identity.model_sha256:
        differs = f"model (its stored text): sha256 {found[:12]}, not {study.identity.model_sha256[:12]}"
        way_out = "way out: someone has changed the study's row since it was made: make the study anew, by another name"
        raise StudyConflict(study.name, [differs], way_out)
    models.check_text(text, f"study {study.name}, {name}")
    placed = settings.study_folder(study.name) / "model" / name
    placed.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(placed, text)
    return str(placed)


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


def _weights_under_train(spec: StudySpec) -> dict[str, str]:
    """Return the path of each file of weights that a training argument names, by the key of the study."""
    return {f"train.{name}": path for name, path in _named_files(spec).items()}


def share_weights(settings: Settings, storage: Storage, study: StudyRow, file: Path) -> None:
    from hpo.orchestration import starting_weights
    from hpo.study.studies import lifecycle

    store = checkpoint_store(settings, study, starting_weights.FOLDER)
    if store is not None:
        starting_weights.share(store, study, file, lambda place: lifecycle.set_weights(storage, study, place))
