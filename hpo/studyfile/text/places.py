"""The folders to look for files in: beside the study, the working folder, and the configs that ship with hpo."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hpo import files


@dataclass(frozen=True)
class Folders:
    """The folders of one loading."""

    study: Path
    """Absolute folder of the study file."""
    working: Path
    """Absolute working folder."""

    def order(self, *, working_first: bool) -> tuple[Path, ...]:
        """Return the folders for a relative path; a path from the command line is relative to the working folder."""
        found = (self.working, self.study) if working_first else (self.study, self.working)
        return found if self.study != self.working else (self.study,)


def home_expanded(path: str) -> Path:
    """The path with a leading ``~`` or ``~user`` replaced; the name of nobody's home is left as it is written."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (Path.expanduser raises where there is no such user)


def look_for(path: Path, folders: Iterable[Path], *, but: Path | None = None) -> tuple[Path | None, list[Path]]:
    """Return the first file of ``path`` in ``folders``, other than ``but``, and all places that were tried.

    Links are followed. None where there is no such file, or the disk can't be asked: a name too long, another user's
    folder, a link to itself.
    """
    tried = [Path(os.path.realpath(folder / path)) for folder in folders]
    return next((place for place in tried if files.is_file(place) and place != but), None), tried


def shipped(kind: str) -> list[Path]:
    """Return the folders of shipped files (``spaces``, ``models``): of the checkout, else of the installed wheel."""
    package = Path(__file__).resolve().parents[2]
    return [folder for folder in (package.parent / "configs" / kind, package / "_configs" / kind) if folder.is_dir()]


def display(path: Path, working: Path) -> str:
    """Format a path for a message: relative to the working folder where it lies in it."""
    return str(path.relative_to(working)) if path.is_relative_to(working) else str(path)
