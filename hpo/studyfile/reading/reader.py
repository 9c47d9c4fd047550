"""The mapping of a study file to a ``StudySpec``: one reader for each key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.keys import Form, KeyField, keys_of
from hpo.studyfile.reading import forms, methods, shapes
from hpo.studyfile.reading.compose import SpaceContext, compose
from hpo.studyfile.reading.models import read_model
from hpo.studyfile.reading.proposals import read_proposals
from hpo.studyfile.schema import POSTPROCESSING_NAMES, StudySpec
from hpo.studyfile.space import Space
from hpo.studyfile.text import fields
from hpo.studyfile.text.fields import Field, Reader
from hpo.studyfile.text.places import Folders
from hpo.trial.objective import Objective
from hpo.trial.vocabulary import Postprocess
from hpo.yamlfile.document import Node

KEYS = tuple(each for each in keys_of(StudySpec) if each.key.within is None)
REQUIRED = tuple(each.name for each in KEYS if each.required)


@dataclass
class StudyReader:
    """Reads one document; problems go to the report of its fields."""

    folders: Folders
    file: Path
    places: dict[str, Node] = field(default_factory=dict)
    """Nodes by key path; names of the space point to their definition, also in a part."""
    said: tuple[str, ...] = ()
    """Keys that the file itself writes; see ``said``."""
    _later: dict[Form, Field] = field(default_factory=dict)
    """Fields that are read after the keys that they depend on."""

    def __post_init__(self) -> None:
        self._forms: dict[Form, Reader] = {
            "name": forms.name,
            "names": forms.names,
            "data": lambda place: forms.data(place, self.folders),
            "model": lambda place: read_model(place, self.folders),
            "train": lambda place: forms.train(place, self.folders),
            "recipe": lambda place: forms.recipe(place, self.folders),
            "objective": forms.objective,
            "sampler": methods.sampler,
            "pruner": methods.pruner,
            "kinds": forms.kinds,
            "space": lambda place: self._later.update({"space": place}),
            "proposals": lambda place: self._later.update({"proposals": place}),
        }

    def read(self, root: Field) -> StudySpec:
        """Return the study from what is readable; it is meaningful only if no problem was reported."""
        self._remember(root)
        self.said = tuple(said(root))
        given = fields.mapping(root, self.readers(), REQUIRED)
        space = self._space(given)
        settings = {"postprocess": _usual_postprocess(space, given), **given.pop("postprocess", {})}
        settings |= given.pop("baseline", {})
        spec = StudySpec(**{"name": "", "data": "", "model": "", **given, **settings, "space": space})
        proposals = self._later.get("proposals")
        if proposals is None:
            return spec
        return replace(spec, search=replace(spec.search, enqueue=read_proposals(proposals, spec)))

    def readers(self) -> dict[str, Reader]:
        """Return the reader of every key of a study file."""
        return {each.name: self._reader(each) for each in KEYS}

    def _reader(self, each: KeyField) -> Reader:
        inner = tuple(other for other in keys_of(StudySpec) if other.key.within == each.name)
        return shapes.long_form(each, inner, self._forms) if inner else shapes.reader(each, self._forms)

    def _remember(self, place: Field) -> None:
        self.places[place.path] = place.node
        for child in (*(place.entries or {}).values(), *(place.items or [])):
            self._remember(child)

    def _space(self, given: Mapping[str, Any]) -> Space:
        place = self._later.get("space")
        if place is None:
            return Space()
        train = dict(given.get("train", ()))
        epochs = int(train.get("epochs", arguments.defaults()["epochs"]))
        sampled = given.get("postprocess", {}).get("postprocess") is Postprocess.SAMPLED
        context = SpaceContext(self.folders, self.file, epochs, train, sampled)
        named: dict[str, Field] = {}
        space = compose(place, context, named)
        self.places.update({path: child.node for path, child in named.items()})
        return space


def said(root: Field) -> Iterator[str]:
    """Yield the keys that a file writes, such as ``train.epochs`` and ``search.seed``; a part of the space is
    ``space[NAME]``.
    """
    for name, child in (root.entries or {}).items():
        layers = [child] if child.items is None or name != "space" else child.items
        for layer in layers:
            if layer.entries is not None:
                null_too = name in {"train", "space"}
                written = (key for key, value in layer.entries.items() if null_too or value.node.value is not None)
                yield from (f"{name}.{inner}" for inner in written)
            elif layer.node.value is not None:
                yield f"{name}[{layer.node.value}]" if name == "space" else name


def _usual_postprocess(space: Space, given: Mapping[str, Any]) -> Postprocess:
    """Choose a mode where the file names none: swept where only a sweep can honour what it says."""
    objective = given.get("objective", Objective())
    named = {*space.names, *dict(space.fixed)} & set(POSTPROCESSING_NAMES)
    swept = named or not objective.is_plain or given.get("postprocess")
    return Postprocess.SWEPT if swept else Postprocess.NONE
