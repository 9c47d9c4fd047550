"""Rules for the model of a study: which networks hpo trains, and what has no effect on the model that is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hpo.studyfile.checks.inert import sampled
from hpo.studyfile.planning.extent import fixed, place, possible
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.text.report import Finding
from hpo.trial.families import Family


@dataclass(frozen=True)
class ModelFacts:
    """The facts about a model that decide whether it is trained, and which dimensions have an effect."""

    task: str
    """Task by Ultralytics' name: ``detect``, ``segment``, ``classify``, ``pose``, ``obb``, ..."""
    module: str
    """Ultralytics' class of the last layer."""
    family: Family | None
    """None for a network that hpo does not train."""
    channels: int | None = None
    """Channels of the images that weights were trained on; None for a YAML, which takes any number."""


def model_fits(spec: StudySpec, model: ModelFacts, images: Callable[[], int]) -> Iterator[Finding]:
    """Refuse a model that hpo does not train, images of other channels, and what has no effect on the model.

    ``images`` returns the channels of the dataset's images, which only weights make necessary.
    """
    if model.task != "detect":
        yield Finding("model", f"is a model for the task {model.task}; hpo trains detectors, such as yolov8n.pt")
    elif model.family is None:
        what = f"is a network that hpo does not train ({model.module}{_further(model.module)})"
        yield Finding("model", f"{what}; use a detector such as yolov8n.pt, yolo26n.pt or rtdetr-l.pt")
    else:
        yield from _channels_fit(model, images)
        yield from _dimensions_act(spec, model.family)
        yield from _branch_is_deployed(spec, model.family)


def without_effect(spec: StudySpec, model: ModelFacts | None) -> list[str]:
    """Return a line for each fixed training argument that does nothing with this model."""
    if model is None or model.family is None:
        return []
    inert = model.family.row.inert
    return [f"{place(spec, name)} does nothing with this model: {inert[name]}" for name in fixed(spec) if name in inert]


def _further(module: str) -> str:
    if module.startswith("models."):
        return ": these weights are of the yolov5 repository, whose code they need; Ultralytics' own are yolov5nu.pt"
    if module.lower().startswith(("world", "yoloe", "lrpc")):
        return ": an open-vocabulary detector takes its classes from texts, by a text encoder"
    return ""


def _channels_fit(model: ModelFacts, images: Callable[[], int]) -> Iterator[Finding]:
    if model.channels is not None and model.channels != images():
        why = (
            f"its weights take images of {model.channels} channels, and those of the data have {images()} (key "
            "`channels` of the data.yaml): name weights or data of the same number, or a .yaml, which takes any"
        )
        yield Finding("model", why, ("data",))


def _dimensions_act(spec: StudySpec, family: Family) -> Iterator[Finding]:
    if not family.row.has_nms:
        has = "its head has no non-maximum suppression; remove it, or use a YOLOv8"
        yield from sampled(spec, ("iou", "agnostic_nms"), f"does nothing with this model: {has}", ("model",))
    for name, why in family.row.inert.items():
        yield from sampled(spec, (name,), f"does nothing with this model ({why}): remove it", ("model",))


def _branch_is_deployed(spec: StudySpec, family: Family) -> Iterator[Finding]:
    if family is Family.TWO_BRANCHES and "nms" in fixed(spec) and possible(spec, "nms") != (False,):
        why = (
            "would measure a branch of this model that is not deployed: hpo measures and deploys the one without NMS; "
            "remove it"
        )
        yield Finding(place(spec, "nms"), why, ("model",))
