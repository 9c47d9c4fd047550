"""The files of a dataset and a digest of each, kept on this machine so that a change can be told file by file."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from hpo import files
from hpo.dataset.description import DataLook

log = logging.getLogger(__name__)

_NAME = "data-files.json.gz"
_SHOWN = 16
"""Hexadecimal digits of a sha256 that are kept and shown."""
_MOST = 20


@dataclass(frozen=True)
class Change:
    """One file that is another one, new or gone."""

    path: str
    """Path below the data's root; absolute where the file lies elsewhere."""
    before: str | None
    """Start of the sha256; None for a new file."""
    after: str | None
    """Start of the sha256; None for a file that is gone."""

    @override
    def __str__(self) -> str:
        if self.before is None:
            return f"{self.path}: is new"
        return f"{self.path}: is gone" if self.after is None else f"{self.path}: sha256 {self.after}, not {self.before}"


def listed(look: DataLook) -> dict[str, str]:
    """Return the digest of each image and label file."""
    found = look.contents.images | {path: sha256 for path, (sha256, _) in look.contents.labels.items()}
    return {look.place(path): sha256.hex()[:_SHOWN] for path, sha256 in found.items()}


def remember(folder: Path, look: DataLook) -> None:
    """Keep the list in a study's ``folder``, unless the same one is there; a failure is logged."""
    if _read(folder).get("fingerprint") == look.summary.fingerprint:
        return
    text = json.dumps({"fingerprint": look.summary.fingerprint, "files": listed(look)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_bytes(folder / _NAME, gzip.compress(text.encode(), 1))
    except OSError as error:
        log.warning("data.files_not_kept", extra={"folder": str(folder), "error": str(error)})


def changes(folder: Path, fingerprint: str, look: DataLook) -> list[Change]:
    """Return what has changed since the data had ``fingerprint``; nothing where this machine has no list of that."""
    known = _read(folder)
    if known.get("fingerprint") != fingerprint:
        return []
    before: Mapping[str, str] = known["files"]
    after = listed(look)
    paths = sorted(before.keys() | after.keys())
    return [Change(path, before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)]


def told(found: list[Change]) -> list[str]:
    """Return a line for each of the first changes, and the count of the rest."""
    rest = [f"and {len(found) - _MOST} more files"] if len(found) > _MOST else []
    return [*map(str, found[:_MOST]), *rest]


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(gzip.decompress((folder / _NAME).read_bytes()))
    except (OSError, ValueError, EOFError):
        return {}
    return found if isinstance(found, dict) else {}
