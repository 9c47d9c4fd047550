"""What a file of weights holds, read without torch and without running anything that its pickle names.

It is read in a process of its own (``python -m hpo.studyfile.reading.pickled FILE``) with bounds on memory and time: a
few bytes of a pickle can ask for gigabytes, or for hours.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
import zipfile
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from hpo import files
from hpo.processes import finding_hpo, python_command

MOST_BYTES, MOST_S = 1 << 30, 3
"""Memory, and seconds of CPU time. The pickles of all weights of Ultralytics take 60 MiB and 0.1 s."""
_LONGEST_S = 60
"""Seconds after which a disk counts as hanging."""


@dataclass(frozen=True)
class PickledNetwork:
    """A network in a file of weights, as its pickle names the parts."""

    module: str
    name: str
    """Class of the network, in ``module``."""
    layer_module: str
    layer: str
    """Class of its last layer, in ``layer_module``; both are empty where it has none that can be told."""
    two_branches: bool
    """Whether the last layer has a branch that needs no suppression."""
    channels: int
    """Channels of the images that it takes."""


def network_in(path: Path) -> PickledNetwork | None:
    """Return the network in the weights ``path``: the averaged one where there are two, as Ultralytics does.

    None where there is none, or the file can't be read within the bounds. Files of torch before 1.6 are not read.
    """
    if not files.is_file(path):
        return None
    command = python_command("hpo.studyfile.reading.pickled", str(path.absolute()))
    try:
        done = subprocess.run(
            command,
            env=finding_hpo(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST_S,
            check=False,
        )
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # it was killed at a bound, and has said nothing
        return None
    return None if found is None else PickledNetwork(**found)


def main() -> None:
    """Print the network in the file of the command line as JSON, or null."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_S, MOST_S))
    try:
        found = _network(_read(Path(sys.argv[1])))
        text = json.dumps(None if found is None else asdict(found))
    except Exception:  # noqa: BLE001  (a hostile pickle makes the reader raise whatever it likes)
        text = "null"
    sys.stdout.write(text)
    sys.stdout.flush()
    os._exit(0)  # the garbage of a hostile file may take long to collect


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


def _read(path: Path) -> Any:
    """Return the content of a file with ``Named`` in place of every object; None where it holds no pickle."""
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if name is None:
            return None
        with archive.open(name) as file:
            return _Reader(file).load()


def _network(content: Any) -> PickledNetwork | None:
    if not isinstance(content, dict):
        return None
    found = content.get("ema") or content.get("model")
    if not isinstance(found, Named):
        return None
    layer, described = _last_layer(found), vars(found).get("yaml")
    channels = described.get("channels") if isinstance(described, dict) else None
    branches = vars(layer).get("_modules", {}).get("one2one_cv2") is not None
    return PickledNetwork(found.module, found.name, layer.module, layer.name, branches, int(channels or 3))


def _last_layer(network: Named) -> Named:
    """Return the last layer of a network of Ultralytics; an empty one where there is none."""
    layers = vars(network).get("_modules", {}).get("model")
    found = list(vars(layers).get("_modules", {}).values()) if isinstance(layers, Named) else []
    return found[-1] if found and isinstance(found[-1], Named) else Named()


if __name__ == "__main__":
    main()
