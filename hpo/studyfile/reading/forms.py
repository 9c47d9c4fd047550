"""Readers of study-file values that have a form of their own."""

from __future__ import annotations

import re
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.arguments.values import BadValue, coerce
from hpo.studyfile.reading import train_files
from hpo.studyfile.schema import NAME, STAGE_SUFFIX
from hpo.studyfile.text import fields
from hpo.studyfile.text.fields import Field, shown
from hpo.studyfile.text.places import Folders, home_expanded, look_for
from hpo.studyfile.text.report import nearest
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.objective import Objective, parse
from hpo.trial.vocabulary import Metric
from hpo.yamlfile.document import OVERRIDE, plain

KINDS = {"class": Kind.HARD, **{kind.value: kind for kind in SUPPRESSING}}
"""Kinds of suppression by their names in a study file."""
_DEMO = ("data", "digits", "data.yaml")


def name(place: Field) -> str | None:
    said = fields.text(place)
    if said is not None and said.endswith(STAGE_SUFFIX):
        return place.fail(
            f"{said!r}: names that end in {STAGE_SUFFIX} are those of confirmation stages: choose another one"
        )
    if said is None or NAME.fullmatch(said):
        return said
    better = re.sub(r"[^a-z0-9._-]+", "-", said.lower()).strip("-._")[:63]
    hint = f", such as {better}" if better else ""
    return place.fail(f"{said!r}: a name has up to 63 of a-z 0-9 . _ - and begins with a letter or digit{hint}")


def names(place: Field) -> tuple[str, ...]:
    """Read the names of studies. The database tells whether they exist when the study is made."""
    if place.items is None:
        place.fail(f"must be a list of earlier studies such as [digits], not {shown(place.node)}")
    read = [name(item) for item in place.items or []]
    return tuple(dict.fromkeys(said for said in read if said is not None))


def data(place: Field, folders: Folders) -> str | None:
    """Return the absolute path of an existing file."""
    said = fields.text(place)
    if said is None:
        return None
    path = home_expanded(said)
    order = folders.order(working_first=place.node.file == OVERRIDE)
    found, tried = look_for(path, order)
    if found is not None:
        return str(found)
    way_out = (
        "make it with `hpo data demo`"
        if path.parts[-3:] == _DEMO
        else "name the data.yaml of a dataset, where it moved with --data"
    )
    listed = ", ".join(dict.fromkeys(str(candidate) for candidate in tried))
    return place.fail(f"no such file (tried {listed}): {way_out}")


def train(place: Field, folders: Folders) -> tuple[tuple[str, Any], ...]:
    """Read the training arguments; a file of weights becomes its absolute path."""
    entries = place.entries
    if entries is None:
        place.fail(f"must be a mapping of Ultralytics' training arguments, not {shown(place.node)}")
    read: dict[str, Any] = {}
    for argument, child in (entries or {}).items():
        refused = arguments.refusal(argument)
        if refused is not None:
            child.fail(refused)
            continue
        try:
            read[argument] = coerce(argument, plain(child.node))
        except BadValue as error:
            child.fail(str(error))
            continue
        if argument in train_files.NAMES and isinstance(read[argument], str):
            read[argument] = train_files.found(child, read[argument], folders)
    return tuple(sorted(read.items()))


_SHARED = ("epochs", "seed", "classes", "single_cls", *train_files.NAMES)


def recipe(place: Field, folders: Folders) -> tuple[tuple[str, Any], ...]:
    """Read the baseline's own training arguments."""
    for argument, child in (place.entries or {}).items():
        if argument in _SHARED:
            child.fail("is the same in every trial and in the baseline: write it under `train`")
    return train(place, folders)


def objective(place: Field) -> Objective | None:
    if place.items is not None:
        return place.fail("one objective is supported so far: name one metric")
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
        metric, metrics = text.split()[0], [metric.value for metric in Metric]
        hint = nearest(metric, metrics).partition(" (")[0] if metric not in metrics else ""
        return place.fail(f"{error}{hint}")


def _goal(place: Field) -> str | None:
    if place.node.value == "maximize":
        return "maximize"
    return place.fail(f"must be maximize, not {shown(place.node)}: every metric here is better when larger")


def kinds(place: Field) -> tuple[Kind, ...] | None:
    """Read each kind once, in the order of ``Kind``, so that equal studies are equal."""
    if not place.items:
        return place.fail(f"must be a list of kinds of suppression such as [hard, soft], not {shown(place.node)}")
    read = [fields.one_of(KINDS)(item) for item in place.items]
    chosen = {KINDS[word] for word in read if word is not None}
    return tuple(kind for kind in Kind if kind in chosen)
