"""The report of problems: every problem of a study file comes in one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from hpo.errors import Problem, SpecError

_SHORT_LIST = 12


@dataclass(frozen=True)
class Finding:
    """A rule that the study breaks; the loader knows the file and the line of ``path``."""

    path: str
    """Key path such as ``space.lr0``."""
    message: str
    """The problem, its reason, and the way out."""
    also: tuple[str, ...] = ()
    """Further key paths that led to it. Where one of them has a problem of its own, this finding is void."""


@dataclass
class ProblemReport:
    """Problems in the order in which they were found."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def touches(self, path: str) -> bool:
        """Return whether ``path``, a path inside it, or a path around it has a problem already."""
        return any(_within(problem.path, path) or _within(path, problem.path) for problem in self.problems)

    def raise_if_any(self) -> None:
        if self.problems:
            raise SpecError(self.problems)


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: ``; did you mean lr0? (valid: ...)``, a short list in full."""
    names = sorted(valid)
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    listed = f"valid: {', '.join(names)}" if 0 < len(names) <= _SHORT_LIST else ""
    if not close:
        return f"; {listed}" if listed else ""
    return f"; did you mean {close[0]}?" + (f" ({listed})" if listed else "")
