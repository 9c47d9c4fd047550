"""A study as canonical JSON (stored, hashed, compared) and as YAML (for people)."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict
from typing import Any

from ruamel.yaml import YAML

from hpo.studyfile.schema import Budget, Confirm, Final, Keep, Method, PlannedRun, Recovery, Search, StudySpec
from hpo.studyfile.space import Choices, Condition, Dimension, Domain, FloatRange, IntRange, Space
from hpo.trial.objective import parse
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Postprocess


def to_json(spec: StudySpec) -> str:
    """Canonical: equal studies give equal text."""
    return json.dumps(_document(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> StudySpec:
    """The study of ``to_json``; trusted, as the database holds only what was validated."""
    raw = json.loads(text)
    objective, search = raw.pop("objective"), raw.pop("search")
    return StudySpec(
        name=raw["name"],
        data=raw["data"],
        model=raw["model"],
        train=_pairs(raw["train"]),
        space=Space(tuple(_dimension(entry) for entry in raw["space"]), _pairs(raw["fixed"])),
        objective=parse(objective["metric"]),
        search=Search(
            sampler=_method(search["sampler"]),
            pruner=_method(search["pruner"]),
            seed=search["seed"],
            enqueue=tuple(_pairs(proposal) for proposal in search["enqueue"]),
        ),
        budget=Budget(**raw["budget"]),
        baseline=raw["baseline"],
        postprocess=Postprocess(raw["postprocess"]),
        plots=raw["plots"],
        keep=Keep(**raw["keep"]),
        recovery=Recovery(**raw["recovery"]),
        confirm=Confirm(**raw["confirm"]) if raw.get("confirm") else None,  # an older version stored none
        final=Final(**raw["final"]) if raw.get("final") else None,
        warm_start=tuple(raw.get("warm_start", ())),
        planned=tuple(_planned(run) for run in raw.get("planned", ())),
    )


def digest(spec: StudySpec) -> str:
    """sha256 of the canonical JSON, hexadecimal."""
    return hashlib.sha256(to_json(spec).encode()).hexdigest()


def differences(stored: StudySpec, asked: StudySpec) -> list[str]:
    """``train.epochs: stored 10, asked 20``, one for each key that differs, sorted by key."""
    before, after = _flat(_comparable(stored)), _flat(_comparable(asked))
    return [
        f"{key}: stored {_shown(before, key)}, asked {_shown(after, key)}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) or (key in before) != (key in after)
    ]


def dump_yaml(spec: StudySpec) -> str:
    """A complete study file that loads to the same study."""
    document = {key: value for key, value in _comparable(spec).items() if value is not None}
    document["budget"] = {key: value for key, value in document["budget"].items() if value is not None}
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the file's order, not the alphabet's
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _document(spec: StudySpec) -> dict[str, Any]:
    planned = {"planned": [_planned_document(run) for run in spec.planned]} if spec.planned else {}
    warm = {"warm_start": list(spec.warm_start)} if spec.warm_start else {}
    return {
        **{key: getattr(spec, key) for key in ("name", "data", "model", "baseline", "plots")},
        "postprocess": spec.postprocess.value,
        "train": dict(spec.train),
        "space": [_dimension_document(dimension) for dimension in spec.space.dimensions],
        "fixed": dict(spec.space.fixed),
        "objective": {"metric": str(spec.objective), "goal": "maximize"},
        "search": {
            "sampler": _method_document(spec.search.sampler),
            "pruner": _method_document(spec.search.pruner),
            "seed": spec.search.seed,
            "enqueue": [dict(proposal) for proposal in spec.search.enqueue],
        },
        "budget": asdict(spec.budget),
        "keep": asdict(spec.keep),
        "recovery": asdict(spec.recovery),
        "confirm": None if spec.confirm is None else asdict(spec.confirm),
        "final": None if spec.final is None else asdict(spec.final),
        **warm,
        **planned,
    }


def _planned_document(run: PlannedRun) -> dict[str, Any]:
    point = run.operating_point
    return {
        "of": run.of,
        "params": dict(run.params),
        "train": dict(run.train),
        "operating_point": None if point is None else point.to_dict(),
    }


def _planned(raw: dict[str, Any]) -> PlannedRun:
    point = raw["operating_point"]
    return PlannedRun(
        of=raw["of"],
        params=_pairs(raw["params"]),
        train=_pairs(raw["train"]),
        operating_point=None if point is None else OperatingPoint.from_dict(point),
    )


def _comparable(spec: StudySpec) -> dict[str, Any]:
    """The study in the shape of a study file."""
    document = _document(spec)
    sampled = {entry.pop("name"): _entry(entry) for entry in document["space"]}
    order = ("name", "data", "model", "train", "space", "objective", "search", "budget", "baseline", "postprocess")
    document["space"] = {**sampled, **document.pop("fixed")}
    asked = tuple(key for key in ("confirm", "final", "warm_start") if document.get(key) is not None)
    if spec.final is not None:
        document["final"] = {key: value for key, value in document["final"].items() if value is not None}
    return {key: document[key] for key in (*order, "plots", "keep", "recovery", *asked)}


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    when = {condition["parent"]: condition["values"] for condition in entry["when"]}
    said = {key: value for key, value in entry.items() if value is not None and value is not False}
    domain = {key: value for key, value in said.items() if key not in {"when", "kind"}}
    return {**domain, "when": when} if when else domain


def _dimension_document(dimension: Dimension) -> dict[str, Any]:
    when = [{"parent": condition.parent, "values": list(condition.values)} for condition in dimension.when]
    return {"name": dimension.name, "when": when, **_domain_document(dimension.domain)}


def _domain_document(domain: Domain) -> dict[str, Any]:
    match domain:
        case FloatRange(low, high, log, step):
            return {"kind": "float", "low": low, "high": high, "log": log, "step": step}
        case IntRange(low, high, log, step):
            return {"kind": "int", "low": low, "high": high, "log": log, "step": None if log else step}
        case Choices(values):
            return {"kind": "choices", "choices": list(values)}


def _dimension(raw: dict[str, Any]) -> Dimension:
    when = tuple(Condition(condition["parent"], tuple(condition["values"])) for condition in raw["when"])
    return Dimension(raw["name"], _domain(raw), when)


def _domain(raw: dict[str, Any]) -> Domain:
    match raw["kind"]:
        case "float":
            return FloatRange(raw["low"], raw["high"], raw["log"], raw["step"])
        case "int":
            return IntRange(raw["low"], raw["high"], raw["log"], 1 if raw["log"] else raw["step"])
        case _:
            return Choices(tuple(raw["choices"]))


def _method_document(method: Method) -> dict[str, Any]:
    options = {key: _method_document(value) if isinstance(value, Method) else value for key, value in method.options}
    return {"name": method.name, **options}


def _method(raw: dict[str, Any]) -> Method:
    options = {key: _method(value) if isinstance(value, dict) else value for key, value in raw.items() if key != "name"}
    return Method(raw["name"], tuple(sorted(options.items())))


def _pairs(raw: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(raw.items()))


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves by key path; a dimension of the space is one leaf."""
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
