"""Facts that Ultralytics reads from a file of weights or a YAML, and its download of weights by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultralytics.nn.tasks import guess_model_task, load_checkpoint, yaml_model_load
from ultralytics.utils.downloads import attempt_download_asset

from hpo.studyfile.checks import layers
from hpo.training.ultralytics_internals import local_paths
from hpo.trial.families import Family, family_of


@dataclass(frozen=True)
class NetworkFacts:
    """What decides how a network is trained and measured."""

    module: str
    """Ultralytics' class of the last layer."""
    family: Family | None
    """None for a network that hpo does not train."""


def of_network(model: Any) -> NetworkFacts:
    """Return the facts of Ultralytics' ``model``, loaded from weights or built."""
    layer = model.model[-1]
    # fusing removes the branch that needs suppression
    two_branches = getattr(layer, "one2one_cv2", None) is not None or getattr(layer, "cv2", layer) is None
    module = type(layer).__name__
    return NetworkFacts(module, family_of(module, two_branches=two_branches))


def of_file(model: str) -> NetworkFacts:
    """Return the facts of weights or of a YAML, as the argument ``model`` of a training names it.

    Raises what Ultralytics raises on a broken file, and SpecError for a YAML that would run code.
    """
    if model.lower().endswith(".pt"):
        return of_network(load_checkpoint(model)[0])
    described = yaml_model_load(model)
    layers.check_described(described)  # as Ultralytics has read it: another reader may read another text
    module = str(described["head"][-1][2])
    return NetworkFacts(module, family_of(module, two_branches=bool(described.get("end2end"))))


def load(weights: Path) -> Any:
    """Return the network of a file. Raises what Ultralytics raises on a broken file."""
    local_paths.allow_any_folder()
    return load_checkpoint(str(weights))[0]


def facts(loaded: Any) -> dict[str, Any]:
    """Return {task, module, family, channels} of what ``load`` returns: the model's task, its last layer, and the
    channels of its images.
    """
    found = of_network(loaded)
    channels = int(loaded.yaml.get("channels") or 3)
    return {"task": guess_model_task(loaded), "module": found.module, "family": found.family, "channels": channels}


def download(name: str) -> None:
    """Fetch the weights ``name`` into the working folder, where Ultralytics offers them and there is a network."""
    attempt_download_asset(name)
