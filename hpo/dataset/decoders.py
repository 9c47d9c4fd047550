"""Many images decoded, each content once, in processes where there are many.

A process is ``python -m hpo.dataset.decoders``: a JSON list of paths on stdin, a line each back. These are plain
commands, because what multiprocessing starts would import a script's main module again, or use up the one forkserver of
this process, which belongs to the trials.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from hpo.dataset.decoding import Decoded, decode
from hpo.dataset.hash_cache import HashCache
from hpo.errors import Problem, SpecError
from hpo.processes import finding_hpo, python_command

Progress = Callable[[int, int], None]
"""Called with the number of images that are done, and the number of all."""
_FEW = 512
"""Number of images that are decoded sooner than processes are started for them."""
_BATCH = 64
COMMAND = tuple(python_command("hpo.dataset.decoders"))


def decode_all(images: Mapping[str, bytes], cache: Path | None, progress: Progress) -> dict[str, Decoded]:
    """Decode each image (path to sha256); what was decoded before, wherever it lay, is read from ``cache``."""
    keys = {path: (sha256, Path(path).suffix.lower()) for path, sha256 in images.items()}
    stored = HashCache(cache).load_decoded(keys.values()) if cache else {}
    known = {key: Decoded.from_json(text) for key, text in stored.items()}
    first = {key: path for path, key in keys.items() if key not in known}
    found = dict(zip(first, _decoded(list(first.values()), progress), strict=True))
    if cache:
        HashCache(cache).save_decoded({key: each.to_json() for key, each in found.items()})
    known |= found
    return {path: known[key] for path, key in keys.items()}


def _decoded(paths: Sequence[str], progress: Progress) -> list[Decoded]:
    done = itertools.count(1)

    def tell() -> None:
        number = next(done)
        if number % _BATCH == 0 or number == len(paths):
            progress(number, len(paths))

    workers = len(os.sched_getaffinity(0))
    if len(paths) > _FEW and workers > 1:
        return _in_processes(paths, workers, tell)
    found = []
    for path in paths:
        found.append(decode(path))
        tell()
    return found


def _in_processes(paths: Sequence[str], processes: int, tell: Callable[[], None]) -> list[Decoded]:
    """Decode images in several processes, and return what was found, in the order of ``paths``.

    ``tell`` is called after each image, by one thread at a time. Raises SpecError where a process ended at an image.
    """
    lock = Lock()

    def one_more() -> None:
        with lock:
            tell()

    found = [Decoded()] * len(paths)
    with ThreadPoolExecutor(processes) as pool:  # a thread listens to each process
        shares = pool.map(lambda share: _of_one_process(paths[share::processes], one_more), range(processes))
        for share, each in enumerate(shares):
            found[share::processes] = each
    return found


def _of_one_process(paths: Sequence[str], tell: Callable[[], None]) -> list[Decoded]:
    found = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as asked:
        json.dump(paths, asked)
        asked.seek(0)
        with subprocess.Popen(
            COMMAND,
            env=finding_hpo(),
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what the decoders' libraries print of damaged images
            encoding="utf-8",
        ) as process:
            for line in process.stdout or ():
                found.append(Decoded.from_json(line))
                tell()
    if len(found) < len(paths):
        ended = f"the process that decoded it ended with {process.returncode}: save the image anew, or remove it"
        raise SpecError([Problem(paths[len(found)], 0, "", ended)])
    return found


def main() -> None:
    """Answer for each path of stdin."""
    for path in json.load(sys.stdin):
        sys.stdout.write(f"{decode(path).to_json()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
