"""Content of the image and label files: a hash of each, read once and cached by path, size and modification time."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hpo.dataset.hash_cache import CachedHash, HashCache
from hpo.dataset.labels import LabelFacts, parse
from hpo.errors import Problem

_RACY_NS = 2 * 10**9
"""Nanoseconds. A file as new as this may change again without a new time stamp (FAT counts in 2 s), so it is not cached
yet.
"""
_BATCH = 128
"""Number of files per task: large enough to hide the pool's own cost, small enough for all threads to have work."""
_THREADS = 4
"""Number of threads. Reading a network disk is mostly waiting; with no reads needed, more threads slow each other
(measured).
"""


@dataclass
class Contents:
    """Contents by absolute path; a file with a problem, or a label file that does not exist, is absent."""

    images: dict[str, bytes] = field(default_factory=dict)
    """sha256 of each image."""
    labels: dict[str, tuple[bytes, LabelFacts]] = field(default_factory=dict)
    """sha256 and facts of each label file."""
    problems: list[Problem] = field(default_factory=list)
    fresh: dict[str, CachedHash] = field(default_factory=dict)
    """Entries that the cache lacked."""


def read_contents(images: Iterable[str], labels: Iterable[str], nc: int, cache: Path | None) -> Contents:
    """Hash all ``images``; hash and check all ``labels`` that exist. ``nc`` is the number of classes.

    ``cache`` is a folder that outlives the process; with None every file is read.
    """
    files = sorted([*((path, False) for path in set(images)), *((path, True) for path in set(labels))])
    known = HashCache(cache).load({path.rpartition(os.sep)[0] for path, _ in files}) if cache else {}
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(lambda batch: _read_batch(batch, nc, known), batches))
    contents = Contents()
    for part in parts:
        contents.images |= part.images
        contents.labels |= part.labels
        contents.problems += part.problems
        contents.fresh |= part.fresh
    if cache:
        HashCache(cache).save(contents.fresh)
    return contents


def _read_batch(files: list[tuple[str, bool]], nc: int, known: Mapping[str, CachedHash]) -> Contents:
    """Read a batch; ``files`` are pairs (path, whether it is a label file)."""
    part = Contents()
    for path, is_label in files:
        try:
            _read_file(path, part, known.get(path), nc if is_label else None)
        except FileNotFoundError:
            if not is_label:
                part.problems.append(Problem(path, 0, "", "is gone, or a link to nowhere; restore or remove it"))
        except (OSError, UnicodeDecodeError) as error:
            part.problems.append(Problem(path, 0, "", f"can't be read: {error}"))
    return part


def _read_file(path: str, part: Contents, entry: CachedHash | None, nc: int | None) -> None:
    """Put one file's content into ``part``, from ``entry`` if that is still valid; ``nc`` is None for an image."""
    file = Path(path)
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):  # to read a pipe waits for ever
        raise OSError("it is no regular file")
    if entry is None or (entry.size, entry.mtime_ns) != (status.st_size, status.st_mtime_ns) or not _fits(entry, nc):
        content = file.read_bytes()
        entry = CachedHash(status.st_size, status.st_mtime_ns, hashlib.sha256(content).digest())
        if nc is not None:
            facts = parse(content.decode("utf-8-sig"), nc)
            if not isinstance(facts, LabelFacts):
                part.problems += [Problem(path, line, "", message) for line, message in facts]
                return
            entry = entry._replace(**asdict(facts))
        if time.time_ns() - status.st_mtime_ns > _RACY_NS:
            part.fresh[path] = entry
    numbers = [number for number in entry[3:] if number is not None]
    if numbers:
        part.labels[path] = entry.sha256, LabelFacts(*numbers)
    else:
        part.images[path] = entry.sha256


def _fits(entry: CachedHash, nc: int | None) -> bool:
    """Return whether the entry is of the requested kind; a label file's class may be unknown with other names."""
    return entry.top_class is None if nc is None else entry.top_class is not None and entry.top_class < nc
