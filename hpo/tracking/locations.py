"""Places of MLflow's files, which it stores as absolute paths, after HPO_HOME has moved."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

LEFT_TAG = "hpo.left_for"
"""Tag of an experiment or a version that a study has left for one of another HPO_HOME."""


def lies_elsewhere(location: str, artifact_root: Path | None) -> bool:
    """Return whether a local store has this place outside of its home; a server knows itself where its files are."""
    path = None if artifact_root is None else local_path(location)
    return artifact_root is not None and path is not None and not path.is_relative_to(artifact_root)


def present(location: str, artifact_root: Path | None) -> str:
    """Return where the files at ``location`` are: below ``artifact_root`` if they have moved there with HPO_HOME."""
    if artifact_root is None or not lies_elsewhere(location, artifact_root):
        return location
    _, marker, below = str(local_path(location)).rpartition(f"/{artifact_root.name}/")
    moved = artifact_root / below
    return moved.as_uri() if marker and moved.exists() else location


def local_path(location: str) -> Path | None:
    """Return the path of a local place; None for any other."""
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def stays_below(inner: str) -> bool:
    """Return whether a path names something below the folder that it is appended to, however it is decoded."""
    decoded = inner
    while (once := unquote(decoded)) != decoded:
        decoded = once
    parts = decoded.split("/")
    return not ({"", ".", ".."} & set(parts) or "\\" in decoded or ":" in parts[0]) and decoded.isprintable()
