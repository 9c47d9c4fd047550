"""Where files are looked for: beside the study, in the working folder, in the configs that ship with hpo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """The folders of one loading."""

    study: Path
    """Absolute folder of the study file."""
    working: Path
    """Absolute working folder."""

    def order(self, *, working_first: bool) -> tuple[Path, ...]:
        """Where a relative path is looked up; a path given on the command line is meant from where one stands."""
        found = (self.working, self.study) if working_first else (self.study, self.working)
        return found if self.study != self.working else (self.study,)


def shipped(kind: str) -> list[Path]:
    """Folders of shipped files (``spaces``, ``models``): of the checkout, else of the installed wheel."""
    package = Path(__file__).resolve().parents[2]
    return [folder for folder in (package.parent / "configs" / kind, package / "_configs" / kind) if folder.is_dir()]


def display(path: Path, working: Path) -> str:
    """A path as a message shows it: relative to the working folder where it lies in it."""
    return str(path.relative_to(working)) if path.is_relative_to(working) else str(path)
