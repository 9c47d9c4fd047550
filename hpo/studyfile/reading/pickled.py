"""What a file of weights holds, read without torch and without running anything that its pickle names."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

from typing_extensions import override

_UNREADABLE: tuple[type[Exception], ...] = (OSError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, ImportError)
_UNREADABLE += (ValueError, TypeError, AttributeError, KeyError, IndexError, RuntimeError, RecursionError)


class Named:
    """An object of a class that is not loaded. It keeps the state that the pickle gives it, and does nothing."""

    module = name = ""
    """Place of the class, as the pickle names it."""

    def __init__(self, *_given: Any, **_named: Any) -> None:
        return

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)

    def __setitem__(self, _key: Any, _value: Any) -> None:
        return

    def append(self, _value: Any) -> None:
        return

    def extend(self, _values: Any) -> None:
        return

    def add(self, _value: Any) -> None:
        return


class _Reader(pickle.Unpickler):
    """Makes every class that the pickle names a ``Named``, so that none of its code runs."""

    @override
    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return type(name, (Named,), {"module": module, "name": name})

    @override
    def persistent_load(self, pid: Any) -> Any:
        return None  # the numbers of a tensor


def read(path: Path) -> Any:
    """Return the content of the weights ``path`` with ``Named`` in place of every object; None where it can't be read.

    Files of torch before 1.6 are not read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
            if name is None:
                return None
            with archive.open(name) as file:
                return _Reader(file).load()
    except _UNREADABLE:
        return None


def network_of(content: Any) -> Named | None:
    """Return the network in the ``content`` of weights: the averaged one where there are two, as Ultralytics does."""
    if not isinstance(content, dict):
        return None
    found = content.get("ema") or content.get("model")
    return found if isinstance(found, Named) else None


def last_layer(network: Named) -> Named | None:
    """Return the last layer of a network of Ultralytics."""
    layers = vars(network).get("_modules", {}).get("model")
    found = list(vars(layers).get("_modules", {}).values()) if isinstance(layers, Named) else []
    return found[-1] if found and isinstance(found[-1], Named) else None


def has_two_branches(layer: Named) -> bool:
    """Return whether the last layer has a branch that needs no suppression."""
    return vars(layer).get("_modules", {}).get("one2one_cv2") is not None
