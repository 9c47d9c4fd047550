"""What a study file itself says, compared with the stored study that it made."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from hpo.studyfile import serialize
from hpo.studyfile.schema import StudySpec

_WHOLE = ("train.", "space.")
"""Keys of what only the file adds: what was written there once and is no longer, has been changed."""


@dataclass(frozen=True)
class Said:
    """The keys that a study file writes now, and those that it wrote when the study was made."""

    now: Sequence[str]
    before: Sequence[str] | None
    """None for a study of an older version, which did not store them."""

    def differences(self, stored: StudySpec, asked: StudySpec) -> list[str]:
        """Return a line for each key that the file says and that differs."""
        return [*self._parts(), *serialize.differences(stored, asked, self._is_compared)]

    def _parts(self) -> list[str]:
        """Compare the names of the space's parts; what is in them may have changed since."""
        before = None if self.before is None else _parts(self.before)
        if before is None or before == _parts(self.now):
            return []
        return [f"space (parts): stored {_listed(before)}, asked {_listed(_parts(self.now))}"]

    def _is_compared(self, key: str, shared: Container[str]) -> bool:
        if any(_covers(said, key) for said in self.now):
            return True
        if not key.startswith(_WHOLE):
            return False
        if self.before is not None:
            return any(_covers(said, key) for said in self.before)
        return key.startswith("train.") or key not in shared  # both have it, and the file does not say it: from a part


def _covers(said: str, key: str) -> bool:
    """Return whether the value of ``key`` stands under ``said`` in a file, or the other way round."""
    return said == key or key.startswith(f"{said}.") or said.startswith(f"{key}.")


def _parts(said: Sequence[str]) -> list[str]:
    return [each.removeprefix("space[").removesuffix("]") for each in said if each.startswith("space[")]


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
