"""The inspection of weights before any training: in a process of its own, so that the worker never loads torch."""

from __future__ import annotations

import json
import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hpo import files, processes
from hpo.errors import HpoError, UsageError


def main(request: str, pipe: Connection, lifeline: Connection) -> None:
    """Answer ``request`` with JSON: the facts of the model, or {at: a key path of the study, error: one line}.

    The request is JSON: {model (null for none), weights_folder}; it may have train_files, paths by the key that names
    them, and trusted, the sha256 of files that may be unpickled without restriction.
    """
    processes.end_with_pipe(lifeline)
    asked = {"train_files": {}, "trusted": [], **json.loads(request)}
    try:
        answer = _answer(asked)
    except HpoError as error:
        answer = {"at": "model", "error": str(error)}
    except Exception as error:  # noqa: BLE001  (whatever Ultralytics raises on a broken model is the user's answer)
        answer = {"at": "model", "error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:600]}
    pipe.send_bytes(json.dumps(answer).encode())


def devices(_request: str, pipe: Connection, lifeline: Connection) -> None:
    """Answer with JSON: one line for each GPU that torch can use."""
    import torch

    processes.end_with_pipe(lifeline)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = enumerate(map(torch.cuda.get_device_properties, range(count)))
    found = [f"{index}: {gpu.name}, {gpu.total_memory / 1024**3:.0f} GiB" for index, gpu in gpus]
    pipe.send_bytes(json.dumps(found).encode())


def free_memory(_request: str, pipe: Connection, lifeline: Connection) -> None:
    """Answer with JSON: the free memory in MiB of each GPU that torch can use."""
    import torch

    processes.end_with_pipe(lifeline)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    free = {str(index): torch.cuda.mem_get_info(index)[0] / 2**20 for index in range(count)}
    pipe.send_bytes(json.dumps(free).encode())


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    from hpo.training.ultralytics_internals import safe_loading
    from hpo.training.ultralytics_internals.facts import facts, load

    safe_loading.restrict(asked["trusted"])
    path = None if asked["model"] is None else _weights(asked["model"], Path(asked["weights_folder"]))
    loaded = {}
    for key, named in {**({"model": str(path)} if path else {}), **asked["train_files"]}.items():
        try:
            safe_loading.refuse_bomb(Path(named))
            loaded[key] = load(Path(named))
        except UsageError as error:
            return {"at": key, "error": str(error).removeprefix(f"{path}: ")}
        except Exception as error:  # noqa: BLE001  (whatever Ultralytics raises on a broken file is the user's answer)
            told = safe_loading.explained(Path(named), error, f"name it with --trust {named} (in Python: trust=[...])")
            return {"at": key, "error": str(told).removeprefix(f"{path}: ")}
    return {} if path is None else {"path": str(path), "sha256": files.digest(path), **facts(loaded["model"])}


def _weights(model: str, folder: Path) -> Path:
    """Return the file as named; else the copy under ``folder``, fetched by Ultralytics where there is a network."""
    path = Path(model)
    if path.is_file():
        return path.resolve()
    kept = folder / path.name
    if not kept.is_file():
        from hpo.training.ultralytics_internals.facts import download

        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        try:
            download(path.name)
        except Exception as error:  # whatever requests, urllib and Ultralytics raise without a network
            raise UsageError(_not_had(model, kept, f"the download failed ({_line(error)})")) from error
    if not kept.is_file():
        raise UsageError(_not_had(model, kept, "Ultralytics offers no download of that name"))
    return kept.resolve()


def _not_had(model: str, kept: Path, why: str) -> str:
    looked = f"it is not beside the study file, not in the working folder and not in {kept.parent}"
    return f"{looked}, and {why}; put the file at {kept}, or name it by its path: model: /path/to/{Path(model).name}"


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
