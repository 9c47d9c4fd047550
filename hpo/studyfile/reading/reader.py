"""The mapping of a study file to a ``StudySpec``: one reader for each key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from hpo.studyfile.arguments import arguments
from hpo.studyfile.arguments.values import BadValue, coerce
from hpo.studyfile.reading import methods
from hpo.studyfile.reading.compose import Context, compose
from hpo.studyfile.reading.models import read_model
from hpo.studyfile.reading.proposals import read_proposals
from hpo.studyfile.schema import (
    POSTPROCESSING_NAMES,
    STAGE_SUFFIX,
    Budget,
    Confirm,
    Final,
    Keep,
    Plots,
    Recovery,
    Search,
    StudySpec,
)
from hpo.studyfile.space import Space
from hpo.studyfile.text import fields
from hpo.studyfile.text.document import OVERRIDE, Node
from hpo.studyfile.text.fields import Field, Reader, at_least, plain, shown
from hpo.studyfile.text.places import Folders
from hpo.studyfile.text.report import nearest
from hpo.trial.objective import Objective, parse
from hpo.trial.vocabulary import Metric, Postprocess

REQUIRED = ("name", "data", "model", "space")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
MIN_SEEDS = 2
"""One training of a configuration says nothing about how much two differ."""
_DEMO = ("data", "digits", "data.yaml")


@dataclass
class StudyReader:
    """Reads one document; problems go to the report of its fields."""

    folders: Folders
    file: Path
    places: dict[str, Node] = field(default_factory=dict)
    """Where each key stands, by key path; the names of the space also where a part defines them."""

    def read(self, root: Field) -> StudySpec:
        """The study with what is readable; meaningful only if no problem was reported."""
        self._remember(root)
        given = fields.mapping(root, self.readers(), REQUIRED)
        train = given.get("train", {})
        space = self._space(given.pop("space", None), train)
        search = given.pop("search", {})
        proposals = search.pop("enqueue", None)
        spec = StudySpec(
            **{
                "name": "",
                "data": "",
                "model": "",
                "postprocess": _usual_postprocess(space, given.get("objective", Objective())),
                **given,
                "train": tuple(sorted(train.items())),
            },
            space=space,
            search=Search(**search),
        )
        if proposals is None:
            return spec
        return replace(spec, search=replace(spec.search, enqueue=read_proposals(proposals, spec)))

    def readers(self) -> dict[str, Reader]:
        """Every key of a study file."""
        return {
            "name": _name,
            "data": self._data,
            "model": lambda model: read_model(model, self.folders),
            "train": _train,
            "space": _later,
            "objective": _objective,
            "search": _search,
            "budget": _budget,
            "baseline": fields.flag,
            "postprocess": _postprocess,
            "plots": fields.one_of(get_args(Plots)),
            "keep": _keep,
            "recovery": _recovery,
            "confirm": _confirm,
            "final": _final,
            "warm_start": _warm_start,
        }

    def _remember(self, place: Field) -> None:
        self.places[place.path] = place.node
        for child in (*(place.entries or {}).values(), *(place.items or [])):
            self._remember(child)

    def _space(self, place: Field | None, train: Mapping[str, Any]) -> Space:
        if place is None:
            return Space()
        context = Context(self.folders, self.file, int(train.get("epochs", arguments.defaults()["epochs"])), train)
        named: dict[str, Field] = {}
        space = compose(place, context, named)
        self.places.update({path: child.node for path, child in named.items()})
        return space

    def _data(self, place: Field) -> str | None:
        name = fields.text(place)
        if name is None:
            return None
        path = Path(name).expanduser()
        order = self.folders.order(working_first=place.node.file == OVERRIDE)
        tried = [(folder / path).resolve() for folder in order]
        found = next((candidate for candidate in tried if candidate.is_file()), None)
        if found is not None:
            return str(found)
        way_out = "make it with `hpo data demo`" if path.parts[-3:] == _DEMO else "name the data.yaml of a dataset"
        listed = ", ".join(dict.fromkeys(str(candidate) for candidate in tried))
        place.fail(f"no such file (tried {listed}): {way_out}")
        return None


def _usual_postprocess(space: Space, objective: Objective) -> Postprocess:
    """Where the file says nothing."""
    named = {*space.names, *dict(space.fixed)} & set(POSTPROCESSING_NAMES)
    return Postprocess.SWEPT if named or not objective.is_plain else Postprocess.NONE


def _later(place: Field) -> Field:
    """Read once the keys that it depends on are known."""
    return place


def _name(place: Field) -> str | None:
    name = fields.text(place)
    if name is not None and name.endswith(STAGE_SUFFIX):
        place.fail(f"{name!r}: names that end in {STAGE_SUFFIX} are those of confirmation stages: choose another one")
        return None
    if name is None or NAME.fullmatch(name):
        return name
    better = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:63]
    hint = f", such as {better}" if better else ""
    place.fail(f"{name!r}: a name has up to 63 of a-z 0-9 . _ - and begins with a letter or digit{hint}")
    return None


def _train(place: Field) -> dict[str, Any]:
    entries = place.entries
    if entries is None:
        place.fail(f"must be a mapping of Ultralytics' training arguments, not {shown(place.node)}")
    read: dict[str, Any] = {}
    for name, child in (entries or {}).items():
        refused = arguments.refusal(name)
        if refused is not None:
            child.fail(refused)
            continue
        try:
            read[name] = coerce(name, plain(child.node))
        except BadValue as error:
            child.fail(str(error))
    return read


def _objective(place: Field) -> Objective | None:
    if place.items is not None:
        place.fail("one objective is supported so far: name one metric")
        return None
    if place.entries is None:
        return _spelled(place)
    read = fields.mapping(place, {"metric": _spelled, "goal": _goal}, ("metric",))
    return read.get("metric")


def _spelled(place: Field) -> Objective | None:
    text = fields.text(place)
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        name, metrics = text.split()[0], [metric.value for metric in Metric]
        hint = nearest(name, metrics).partition(" (")[0] if name not in metrics else ""
        place.fail(f"{error}{hint}")
        return None


def _goal(place: Field) -> str | None:
    if place.node.value == "maximize":
        return "maximize"
    place.fail(f"must be maximize, not {shown(place.node)}: every metric here is better when larger")
    return None


def _search(place: Field) -> dict[str, Any]:
    readers: dict[str, Reader] = {
        "sampler": methods.sampler,
        "pruner": methods.pruner,
        "seed": _seed,
        "enqueue": _later,
    }
    return fields.mapping(place, readers)


def _seed(place: Field) -> int | None:
    value = at_least(fields.whole, 0)(place)
    if value is not None and value >= 2**32:
        place.fail(f"must be below 2**32 (numpy's generators take no more), not {value}")
        return None
    return value


def _budget(place: Field) -> Budget:
    hours = at_least(fields.real, 0.0, above=True)
    return Budget(**fields.mapping(place, {"trials": at_least(fields.whole, 1), "hours": hours}))


def _keep(place: Field) -> Keep:
    return Keep(**fields.mapping(place, dict.fromkeys(("weights", "caches"), at_least(fields.whole, 1))))


def _confirm(place: Field) -> Confirm:
    """``confirm: {}`` is enough to ask for it."""
    return Confirm(
        **fields.mapping(place, {"top": at_least(fields.whole, 1), "seeds": at_least(fields.whole, MIN_SEEDS)})
    )


def _final(place: Field) -> Final:
    return Final(**fields.mapping(place, {"epochs": at_least(fields.whole, 1)}))


def _warm_start(place: Field) -> tuple[str, ...]:
    """Whether there are such studies is asked of the database, when the study is made."""
    if place.items is None:
        place.fail(f"must be a list of earlier studies such as [digits], not {shown(place.node)}")
    read = [_name(item) for item in place.items or []]
    return tuple(dict.fromkeys(name for name in read if name is not None))


def _recovery(place: Field) -> Recovery:
    readers: dict[str, Reader] = {
        "hung_s": at_least(fields.real, 0.0, above=True),
        "retries": at_least(fields.whole, 0),
        "lease_s": at_least(fields.real, 1.0),
        "grace_s": at_least(fields.real, 0.0),
        "patience_s": at_least(fields.real, 0.0),
        "checkpoint_every_s": at_least(fields.real, 1.0),
    }
    return Recovery(**fields.mapping(place, readers))


def _postprocess(place: Field) -> Postprocess | None:
    names = [mode.value for mode in Postprocess]
    if place.node.value in names:
        return Postprocess(str(place.node.value))
    place.fail(f"{shown(place.node)} is not among its values{nearest(str(place.node.value), names)}")
    return None
