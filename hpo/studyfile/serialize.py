"""A study as canonical JSON (stored, hashed, compared) and as YAML (for people)."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Container
from typing import Any

from ruamel.yaml import YAML

from hpo.studyfile.documents import document, from_document, pairs, space_entries
from hpo.studyfile.keys import keys_of, words
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.stage import PlannedRun, StagePlan
from hpo.trial.operating_point import OperatingPoint


def to_json(spec: StudySpec, plan: StagePlan = ()) -> str:
    """Return canonical JSON: equal studies give equal text.

    ``plan``: the plan of a confirmation stage, stored in the same text.
    """
    raw = document(spec)
    space = raw.pop("space")
    planned = {"planned": [_planned_document(run) for run in plan]} if plan else {}
    stored = {**raw, "space": space["dimensions"], "fixed": space["fixed"], **planned}
    return json.dumps(stored, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> StudySpec:
    """Return the study of ``to_json``. The text is trusted, as the database holds only validated studies."""
    raw = json.loads(text)
    raw["space"] = {"dimensions": raw["space"], "fixed": raw.pop("fixed")}
    return from_document(StudySpec, raw)


def plan_from_json(text: str) -> StagePlan:
    """Return the plan in the text of a confirmation stage; it is empty for a search."""
    return tuple(_planned(run) for run in json.loads(text).get("planned", ()))


def digest(spec: StudySpec, plan: StagePlan = ()) -> str:
    """Return the sha256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(to_json(spec, plan).encode()).hexdigest()


Compared = Callable[[str, Container[str]], bool]
"""Chooses the keys that are compared; it is given a key, and the keys that both studies have."""


def differences(stored: StudySpec, asked: StudySpec, compared: Compared | None = None) -> list[str]:
    """Return ``train.epochs: stored 10, asked 20``, one line for each key that differs, sorted by key.

    ``compared`` chooses the keys; None compares all.
    """
    before, after = _leaves(stored), _leaves(asked)
    shared = before.keys() & after.keys()
    return [
        f"{key}: stored {_shown(before, key)}, asked {_shown(after, key)}"
        for key in sorted({*before, *after})
        if (before.get(key) != after.get(key) or (key in before) != (key in after))
        and (compared is None or compared(key, shared))
    ]


def dump_yaml(spec: StudySpec) -> str:
    """Write a complete study file that loads to the same study."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the file's order, not the alphabet's
    out = io.StringIO()
    yaml.dump(_comparable(spec), out)
    return out.getvalue()


def _comparable(spec: StudySpec) -> dict[str, Any]:
    """Return the study in the form of a study file."""
    return _written({**document(spec), "space": space_entries(spec.space)})


def _written(values: dict[str, Any]) -> dict[str, Any]:
    """Drop the keys without a value; a null under ``train`` or in the space is a value."""
    return {
        key: _written(value) if isinstance(value, dict) and key not in {"train", "space"} else value
        for key, value in values.items()
        if value is not None
    }


def _planned_document(run: PlannedRun) -> dict[str, Any]:
    point = None if run.operating_point is None else run.operating_point.to_dict()
    return {"of": run.of, "params": dict(run.params), "train": dict(run.train), "operating_point": point}


def _planned(raw: dict[str, Any]) -> PlannedRun:
    point = None if raw["operating_point"] is None else OperatingPoint.from_dict(raw["operating_point"])
    return PlannedRun(raw["of"], pairs(raw["params"]), pairs(raw["train"]), point)


def _leaves(spec: StudySpec) -> dict[str, Any]:
    """Return values by key path. A word in a long form has one path, whether other keys stand beside it or not."""
    outer = {each.key.within for each in keys_of(StudySpec)}
    alone = {f"{path[0]}.{word}": path[0] for path, word in words(StudySpec).items() if path[0] in outer}
    return {alone.get(path, path): value for path, value in _flat(_comparable(spec)).items()}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return leaves by key path; a dimension of the space is one leaf."""
    if not isinstance(value, dict) or (path.count(".") == 1 and path.startswith("space.")):
        return {path: value}
    found: dict[str, Any] = {}
    for key, child in value.items():
        found.update(_flat(child, f"{path}.{key}" if path else key))
    return found


def _shown(values: dict[str, Any], key: str) -> str:
    if key not in values or values[key] is None:
        return "nothing"
    value = values[key]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(value, name)}" for name in value) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)
