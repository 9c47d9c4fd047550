"""What a model's YAML may say: Ultralytics evaluates parts of it, and looks up others among all that it has imported.

``parse_model`` of ultralytics 8.4.190 (nn/tasks.py) calls ``eval`` on ``activation``, takes a layer from its module's
globals by name, and puts literals and its own variables in place of texts among a layer's arguments.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.text.fields import Field, shown
from hpo.studyfile.text.mapping import read_mapping
from hpo.studyfile.text.report import nearest
from hpo.yamlfile.report import ProblemReport

# fmt: off
ACTIVATIONS = frozenset(
    (
        "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "LeakyReLU",
        "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax",
        "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold"
    )
)
# fmt: on
"""The layers of torch.nn that a model may name as its activation."""
_LONGEST = 200
"""Characters of a text that is read as a piece of Python, or is an argument of a layer."""
_LAYER = re.compile(r"(nn|torchvision\.ops)\.[A-Z]\w*", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)


def check(model: Field) -> None:
    """Report what ``model``, the document of a YAML, says that is no plain description of a network."""
    entries = model.entries or {}
    if (activation := entries.get("activation")) is not None:
        _check_activation(activation)
    for part in ("backbone", "head"):
        for row in (entries[part].items if part in entries else None) or ():
            _check_row(row)


def check_described(described: Mapping[str, Any]) -> None:
    """Raise SpecError for what ``check`` refuses in a model as another reader of YAML has read it."""
    report = ProblemReport()
    node = read_mapping(described, report)
    if node is not None:
        check(Field(node, "", report))
    report.raise_if_any()


def _check_activation(place: Field) -> None:
    text = place.node.value
    if text is not None and not (isinstance(text, str) and _is_activation(text)):
        way_out = "write one of torch.nn with plain values, such as nn.SiLU() or nn.LeakyReLU(0.1)"
        place.fail(f"{shown(place.node)} is no activation, and Ultralytics would run it as code: {way_out}")


def _is_activation(text: str) -> bool:
    """Return whether the text calls a class of ``ACTIVATIONS`` with literals."""
    if len(text) > _LONGEST:
        return False
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call):
            return False
        module, _, name = ast.unparse(call.func).rpartition(".")
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            ast.literal_eval(argument)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return False
    return module in ("nn", "torch.nn") and name in ACTIVATIONS and all(keyword.arg for keyword in call.keywords)


def _check_row(row: Field) -> None:
    """Check [from, repeats, layer, arguments]."""
    items = row.items
    if items is None or len(items) != 4:
        return  # Ultralytics refuses it without running anything
    _check_layer(items[2])
    _check_argument(items[3])


def _check_layer(place: Field) -> None:
    name = place.node.value
    if not isinstance(name, str) or not (name in _known() or _LAYER.fullmatch(name)):
        what = f"{shown(place.node)} is no layer of Ultralytics, nor one of torch.nn (nn.NAME) or torchvision.ops"
        place.fail(f"{what}{nearest(str(name), _known())}")


def _check_argument(place: Field) -> None:
    value = place.node.value
    for inner in (place.entries or {}).values():
        _check_argument(inner)
    for inner in place.items or ():
        _check_argument(inner)
    if isinstance(value, str) and not (len(value) <= _LONGEST and (_WORD.fullmatch(value) or _is_literal(value))):
        place.fail(f"{shown(place.node)} is no argument of a layer: write a number, a plain word or a list")


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return False
    return True


@cache
def _known() -> frozenset[str]:
    """Return the names of Ultralytics' layers, read from its source without importing it."""
    source = (arguments.package() / "nn" / "modules" / "__init__.py").read_text(encoding="utf-8")
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return frozenset(ast.literal_eval(value))
            case _:
                continue
    return frozenset()
