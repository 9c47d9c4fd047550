"""The report of problems: every problem of a file comes in one error."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpo.errors import Problem, SpecError

MOST = 100
"""Problems after which nothing more is looked at: nobody reads more, and each may cost a search for a near name."""


@dataclass
class ProblemReport:
    """Problems in the order in which they were found."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        """Add a problem once. Raises SpecError with all of them where they are too many."""
        if problem in self.problems:
            return
        self.problems.append(problem)
        if len(self.problems) == MOST:
            rest = Problem(problem.file, 0, "", f"{MOST} problems: the rest of the file was not looked at")
            raise SpecError([*self.problems, rest])

    def touches(self, path: str) -> bool:
        """Return whether ``path``, a path inside it, or a path around it has a problem already."""
        return any(_within(problem.path, path) or _within(path, problem.path) for problem in self.problems)

    def raise_if_any(self) -> None:
        if self.problems:
            raise SpecError(self.problems)


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))
