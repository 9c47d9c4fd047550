"""One value of one training argument: read as Ultralytics' checks would, and refused where they would replace it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.text.report import nearest
from hpo.yamlfile.document import is_finite, numeric


class BadValue(ValueError):
    """A value that doesn't fit its argument; the message names one that would."""


def coerce(name: str, raw: Any) -> Any:
    """Convert ``raw`` (a scalar or a list, from YAML) to the plain Python value that Ultralytics gets for ``name``.

    Raises ``BadValue``. A quoted number counts as one; a whole number comes back as int even from ``1e2``.
    """
    if raw is not None:
        return _present(name, raw)
    if arguments.defaults().get(name) is None:
        return None
    raise BadValue("must not be empty")


def _present(name: str, raw: Any) -> Any:
    match arguments.kind(name):
        case "whole":
            return _bounded(name, _whole(name, raw))
        case "fraction" if name == "scale" and isinstance(raw, list):
            return _pair(raw)
        case "fraction" | "real":
            return _bounded(name, _real(raw))
        case "flag":
            return _flag(raw)
        case "text":
            return _text(name, raw)
        case "special":
            return _SPECIAL.get(name, _as_written)(raw)


def _real(raw: Any) -> float:
    found = numeric(raw)
    if found is None or not is_finite(found):
        raise BadValue(f"must be a finite number, not {raw!r}")
    return float(found)


def _whole(name: str, raw: Any) -> int:
    found = raw if isinstance(raw, int) and not isinstance(raw, bool) else _real(raw)
    if name == "batch" and (found == -1 or 0 < found < 1):
        raise BadValue(f"{found:g} would let each GPU choose its own batch: name a whole number from 1")
    if isinstance(found, float) and not found.is_integer():
        raise BadValue(f"must be a whole number, not {raw!r}")
    value = int(found)
    if name == "imgsz" and value >= 32 and value % 32:
        up = math.ceil(value / 32) * 32
        raise BadValue(f"{value} is no multiple of 32, Ultralytics would train at {up}: write {up - 32 or 32} or {up}")
    return value


def _bounded(name: str, value: float) -> float:
    if abs(value) > 2**53:
        raise BadValue("is beyond any sensible value")
    low, high = arguments.lowest(name), arguments.highest(name)
    is_fraction = arguments.kind(name) == "fraction"
    if is_fraction and low is not None and high is not None and not low <= value <= high:
        raise BadValue(f"{value:g} is outside {low:g} to {high:g}, which is all that Ultralytics accepts")
    if low is not None and value < low:
        raise BadValue(f"{value:g} is below {low:g}, the least that can be honoured")
    if high is not None and value > high:
        raise BadValue(f"{value:g} is above {high:g}: no training takes so much")
    return value


def _flag(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    hint = " (in YAML 1.2 yes, no, on and off are texts)" if str(raw).lower() in {"yes", "no", "on", "off"} else ""
    raise BadValue(f"must be true or false, not {raw!r}{hint}")


def _text(name: str, raw: Any) -> str:
    if not isinstance(raw, str):
        raise BadValue(f"must be a text, not {raw!r}")
    if name == "optimizer":
        return _optimizer(raw)
    if name == "copy_paste_mode" and raw not in {"flip", "mixup"}:
        raise BadValue(f"must be flip or mixup, not {raw!r}")
    return raw


def _optimizer(raw: str) -> str:
    names = {optimizer.lower(): optimizer for optimizer in (*arguments.OPTIMIZERS, "auto")}
    if raw.lower() in names:
        return names[raw.lower()]
    raise BadValue(f"{raw!r} is no optimizer of Ultralytics{nearest(raw, names.values())}")


def _pair(raw: list[Any]) -> list[float]:
    if len(raw) != 2:
        raise BadValue("as a list, scale is [least, largest]")
    low, high = _real(raw[0]), _real(raw[1])
    if not 0 < low <= high:
        raise BadValue(f"as a list, scale is [least, largest] above 0, not [{low:g}, {high:g}]")
    return [low, high]


def _freeze(raw: Any) -> Any:
    entries = raw if isinstance(raw, list) else [raw]
    plain = all(isinstance(entry, int | str) and not isinstance(entry, bool) for entry in entries)
    _must_be("a number of layers or a list of layer indices or names", raw, ok=plain and not isinstance(raw, str))
    if isinstance(raw, int) and raw < 0:
        raise BadValue("a number of layers starts at 0")
    return raw


def _classes(raw: Any) -> Any:
    entries = raw if isinstance(raw, list) else [raw]
    ok = all(isinstance(entry, int) and not isinstance(entry, bool) and entry >= 0 for entry in entries)
    return _must_be("a class index or a list of them", raw, ok=ok)


def _cache(raw: Any) -> Any:
    return _must_be("true, false, ram or disk", raw, ok=isinstance(raw, bool) or raw in ("ram", "disk"))


def _amp(raw: Any) -> Any:
    if isinstance(raw, bool):
        return raw
    named = str(raw).lower() in {"fp16", "bf16", "fp32"}
    return _must_be("true, false, fp16, bf16 or fp32", raw, ok=named).lower()


def _flag_or_text(raw: Any) -> Any:
    return _must_be("true, false or a text", raw, ok=isinstance(raw, bool | str))


def _plain_text(raw: Any) -> str:
    return str(_must_be("a text", raw, ok=isinstance(raw, str)))


def _must_be(what: str, raw: Any, *, ok: bool) -> Any:
    if not ok:
        raise BadValue(f"must be {what}, not {raw!r}")
    return raw


def _as_written(raw: Any) -> Any:
    return raw


_SPECIAL: dict[str, Callable[[Any], Any]] = {
    "freeze": _freeze,
    "classes": _classes,
    "cache": _cache,
    "amp": _amp,
    "compile": _flag_or_text,
    "pretrained": _flag_or_text,
    "distill_model": _plain_text,
}
