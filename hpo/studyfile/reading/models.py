"""The model of a study: which file is meant, and the facts known without building it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hpo.studyfile.arguments import arguments
from hpo.studyfile.checks import layers
from hpo.studyfile.checks.model import ModelFacts
from hpo.studyfile.reading import pickled
from hpo.studyfile.text.fields import Field
from hpo.studyfile.text.fields import text as read_text
from hpo.studyfile.text.places import Folders, home_expanded, look_for, shipped
from hpo.studyfile.text.report import nearest
from hpo.trial.families import family_of
from hpo.yamlfile.document import OVERRIDE, Node, parse, plain, read_document
from hpo.yamlfile.report import ProblemReport

_TASKS = {
    "cls": "classification",
    "seg": "segmentation",
    "sem": "segmentation",
    "pose": "pose estimation",
    "obb": "oriented boxes",
    "depth": "depth estimation",
}
_TASK_SUFFIX = re.compile(rf"-({'|'.join(_TASKS)})(?=-|$)")
_SUFFIXES = (".pt", ".yaml", ".yml")


def read_model(field: Field, folders: Folders) -> str | None:
    """Return the name as written, or the absolute path of the file that it means."""
    name = read_text(field)
    if name is None:
        return None
    task = _TASK_SUFFIX.search(Path(name).stem)
    if task is not None:
        return field.fail(
            f"{name} is a model for {_TASKS[task[1]]}; hpo trains detectors, such as yolov8n.pt or yolov8n.yaml"
        )
    if not name.endswith(_SUFFIXES):
        stem = name.split("/")[-1]
        return field.fail(
            f"must end in .pt (weights to start from) or .yaml (trained from scratch): {stem}.pt or {stem}.yaml"
        )
    return _find(field, name, folders)


def _find(field: Field, name: str, folders: Folders) -> str | None:
    path = home_expanded(name)
    plain_name = path.name == name
    order = folders.order(working_first=field.node.file == OVERRIDE)
    own = Path(os.path.realpath(folders.working / field.node.file))  # a study file may be named like its model
    found, tried = look_for(path, (*order, *(shipped("models") if plain_name else [])), but=own)
    if found is not None:
        return str(found) if name.endswith(".pt") or _is_plain(found, field.report) else None
    if not plain_name:
        return field.fail(f"no such file (tried {', '.join(dict.fromkeys(str(candidate) for candidate in tried))})")
    if not name.endswith(".pt") and _in_package(name) is None:
        known = {file.name for folder in (*shipped("models"), _package_models()) for file in folder.rglob("*.yaml")}
        return field.fail(
            f"no model {name!r} beside the study file, in the working folder, in configs/models or in Ultralytics; "
            f"{nearest(name, known)}"
        )
    return name


def _is_plain(file: Path, report: ProblemReport) -> bool:
    """Return whether a model's YAML describes a network and nothing else; ``report`` gets its problems."""
    found = ProblemReport()
    _check(read_document(file, found), found)
    for problem in found.problems:
        report.add(problem)
    return not found.problems


def check_text(text: str, shown_as: str) -> None:
    """Raise SpecError with all problems where the text of a model's YAML describes more than a network."""
    report = ProblemReport()
    _check(parse(text, shown_as, report), report)
    report.raise_if_any()


def _check(node: Node | None, report: ProblemReport) -> None:
    if node is not None:
        layers.check(Field(node, "", report))


def _package_models() -> Path:
    return arguments.package() / "cfg" / "models"


def _in_package(name: str) -> Path | None:
    """Return Ultralytics' own file for a model name (``yolov8n.yaml`` is yolov8.yaml at scale n)."""
    unified = re.sub(r"(\d+)([nsmblxtce])(.+)?$", r"\1\3", Path(name).stem)
    wanted = {Path(name).stem, unified}
    return next((file for file in sorted(_package_models().rglob("*.yaml")) if file.stem in wanted), None)


def yaml_file(model: str) -> Path | None:
    """Return the file of a model that is trained from scratch (as ``StudySpec.model`` names it); None for weights."""
    if model.endswith(".pt"):
        return None
    return Path(model) if Path(model).is_absolute() else _in_package(model)


def facts(model: str) -> ModelFacts | None:
    """Return the facts in the model's YAML or in its weights on this machine.

    None for other weights, and for those that only Ultralytics can read (the training reads them later).
    """
    if model.endswith(".pt"):
        return _of_weights(Path(model)) if Path(model).is_absolute() else None
    path = yaml_file(model)
    node = None if path is None else read_document(path, ProblemReport())
    match None if node is None else plain(node):
        case {"head": [*_, [_, _, str(module), *_]], **others}:
            family = family_of(module, two_branches=bool(others.get("end2end")))
            return ModelFacts(_task(module), module, family)
        case _:
            return None


def _of_weights(path: Path) -> ModelFacts | None:
    network = pickled.network_in(path)
    if network is None:
        return None
    if network.module.split(".")[0] == "models":
        return ModelFacts("detect", f"{network.module}.{network.name}", None)
    if not network.layer_module.startswith("ultralytics."):
        return None
    family = family_of(network.layer, two_branches=network.two_branches)
    return ModelFacts(_task(network.layer), network.layer, family, network.channels)


def _task(module: str) -> str:
    """Return the task of a last layer, by Ultralytics' class of it."""
    return next((task for task in ("segment", "classify", "pose", "obb") if task in module.lower()), "detect")
