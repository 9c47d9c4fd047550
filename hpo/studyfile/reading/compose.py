"""A search space composed of named parts and entries of the study file; later ones override earlier ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpo import files
from hpo.studyfile.arguments import arguments
from hpo.studyfile.planning.fitting import fitted
from hpo.studyfile.reading.ranges import Fixed, SpaceEntry, read_entry
from hpo.studyfile.schema import POSTPROCESSING_NAMES
from hpo.studyfile.space import Choices, Condition, Dimension, Space
from hpo.studyfile.text.fields import Field, shown
from hpo.studyfile.text.places import Folders, display, shipped
from hpo.studyfile.text.report import nearest
from hpo.trial.vocabulary import Scalar
from hpo.yamlfile.document import read_document

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class SpaceContext:
    """The context in which a space is read."""

    folders: Folders
    study_file: Path
    epochs: int
    train: Mapping[str, Any]
    """Fixed training arguments: a condition may name one as its parent."""
    sampled: bool = False
    """Whether the file says ``postprocess: sampled``."""


def compose(field: Field, context: SpaceContext, fields: dict[str, Field]) -> Space:
    """Return the space of ``space:``; problems go to the field's report, and the field of each name into ``fields``."""
    placed: dict[str, SpaceEntry] = {}
    for layer, part in _layers(field, context):
        for name, child in (layer.entries or {}).items():
            entry = _entry(child, name, context)
            fields[f"space.{name}"] = child
            if entry is not None:
                placed[name] = replace(entry, part=part)
            else:
                placed.pop(name, None)
    return _resolve(_ordered(placed), context)


def _entry(field: Field, name: str, context: SpaceContext) -> SpaceEntry | None:
    refused = None if name in POSTPROCESSING_NAMES else arguments.refusal(name)
    if name in _WHY:
        refused = f"is the same in every trial: write it under `train` ({_WHY[name]})"
    if refused is not None:
        return field.fail(refused)
    return read_entry(field, name, context.epochs, sampled=context.sampled)


_WHY = {
    "epochs": "trials of different length can't be compared while they run, so none could be stopped early",
    "seed": "a seed that looks best is luck, not a setting",
}


def _layers(field: Field, context: SpaceContext) -> Iterable[tuple[Field, str | None]]:
    """Return the mappings that ``space:`` consists of, each with the name of its part."""
    for item in field.items if field.items is not None else [field]:
        layer = Field(item.node, field.path, field.report)
        if item.entries is not None:
            yield layer, None
        elif isinstance(item.node.value, str):
            part = _part(item, item.node.value, context)
            if part is not None:
                yield Field(part.node, field.path, field.report), item.node.value
        else:
            item.fail(f"must be the name of a part or a mapping of names to ranges, not {shown(item.node)}")


def _part(field: Field, name: str, context: SpaceContext) -> Field | None:
    path = _find_part(name, context)
    if path is None:
        known = {file.stem for folder in shipped("spaces") for file in folder.glob("*.yaml")}
        return field.fail(f"no part {name!r} beside the study file or in configs/spaces{nearest(name, known)}")
    node = read_document(path, field.report, shown_as=display(path, context.folders.working))
    if node is None:
        return None
    part = Field(node, field.path, field.report)
    if not part.entries:
        return part.fail(f"a part is a mapping of names to ranges, not {shown(node)}")
    return part


def _find_part(name: str, context: SpaceContext) -> Path | None:
    if not _PART.fullmatch(name):
        return None
    for folder in (context.folders.study, *shipped("spaces")):
        path = folder / f"{name}.yaml"
        if files.is_file(path) and path.resolve() != context.study_file.resolve():
            return path
    return None


def _ordered(placed: Mapping[str, SpaceEntry]) -> list[SpaceEntry]:
    """Order parents before their children, otherwise as in the file; entries on a cycle are reported and left out."""
    waiting = dict(placed)
    done: list[SpaceEntry] = []
    while waiting:
        ready = [name for name, item in waiting.items() if not any(parent in waiting for parent, _ in item.when)]
        if not ready:
            names = ", ".join(waiting)
            for item in waiting.values():
                item.field.fail(f"its condition leads back to itself (among {names}): remove one `when`")
            return done
        done.append(waiting.pop(ready[0]))
    return done


def _resolve(ordered: list[SpaceEntry], context: SpaceContext) -> Space:
    known = _Known({}, dict(context.train), set())
    fixed: dict[str, Scalar] = {}
    for entry in ordered:
        if isinstance(entry.content, Fixed):
            if entry.when:
                entry.field.fail("a fixed value has no condition: give it choices, or drop `when`")
            fixed[entry.name] = known.fixed[entry.name] = entry.content.value
            continue
        when = _when(entry, known)
        if when is None:
            known.dropped.add(entry.name)
        else:
            known.dimensions[entry.name] = Dimension(entry.name, entry.content, when, entry.follows_optimizer)
    return fitted(Space(tuple(known.dimensions.values()), tuple(sorted(fixed.items()))), context.train)


@dataclass(frozen=True)
class _Known:
    """The names that were read before an entry."""

    dimensions: dict[str, Dimension]
    fixed: dict[str, Any]
    """Fixed values in the space or under ``train``."""
    dropped: set[str]
    """Entries that can never be sampled."""


def _when(item: SpaceEntry, known: _Known) -> tuple[Condition, ...] | None:
    """Return the conditions that remain; None where the dimension can never be sampled.

    A condition of the study file must fit its parent. A condition of a part is narrowed to the parent's possible values
    in this study, so that ``[yolov8-full, {optimizer: AdamW}]`` drops what only SGD has.
    """
    remaining: list[Condition] = []
    for parent, values in item.when:
        possible = _possible(item, parent, known)
        if possible is None:
            return None
        outside = [value for value in values if value not in possible]
        if outside and item.part is None:
            listed = " or ".join(str(value) for value in possible)
            item.field.fail(f"its condition wants {parent} {outside[0]}, but that can only be {listed}")
        kept = tuple(value for value in values if value in possible)
        if not kept:
            return None
        if parent in known.dimensions:
            remaining.append(Condition(parent, kept))
    return tuple(remaining)


def _possible(item: SpaceEntry, parent: str, known: _Known) -> tuple[Scalar, ...] | None:
    """Return a parent's possible values; None where the entry is dropped, or its condition is wrong (reported)."""
    if parent in known.dropped:
        return None
    if parent in known.dimensions:
        domain = known.dimensions[parent].domain
        if isinstance(domain, Choices):
            return domain.values
        return item.field.fail(f"its condition names {parent}, which is a range: a parent has choices")
    if parent in known.fixed:
        return (known.fixed[parent],)
    report = item.field.report
    if not report.touches(f"space.{parent}") and not report.touches(f"train.{parent}"):
        item.field.fail(
            f"its condition names {parent}, which is neither in the space nor under `train`: "
            f"write `train: {{{parent}: ...}}` or `space: {{{parent}: {{choices: [...]}}}}`"
        )
    return None
