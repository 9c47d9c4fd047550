"""One class per reaction. Every message names the place, the value and the way out."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override


class HpoError(Exception):
    """Base of every error that a user may see; it ends a command with ``exit_code``."""

    exit_code = 1


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file (or an override, then ``file`` is ``"override"``)."""

    file: str
    line: int
    """1-based; 0 where there is no line (an override, a missing key of the whole file)."""
    path: str
    """Key path such as ``space.lr0.low`` or ``search.enqueue[1].lr0``; empty for the whole file."""
    message: str
    """What is wrong and what would be right."""

    @override
    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SpecError(HpoError):
    """The study file is wrong; nothing was written."""

    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        """Make the message from the problems, a line each.

        Args:
            problems: All that is wrong, at least one; they are sorted by place.
        """
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(HpoError):
    """The command line names something that does not exist or does not fit."""

    exit_code = 2


class StudyConflict(HpoError):
    """The study exists with another specification, other data or another schema version."""

    exit_code = 3

    def __init__(self, study: str, differences: list[str], way_out: str) -> None:
        """Make the message from the differences, a line each.

        Args:
            study: The stored study's name.
            differences: What differs, one text each.
            way_out: What to do about it.
        """
        self.study = study
        self.differences = tuple(differences)
        listed = "\n".join(f"  {difference}" for difference in differences)
        super().__init__(f"study {study!r} is already stored and differs:\n{listed}\n{way_out}")


class OutsideStore(HpoError):
    """A row names a file that is not among the study's own files in the artifact store; nothing was touched."""


class StudyBusy(HpoError):
    """Workers are on the study right now."""

    exit_code = 3


class StudyStopped(HpoError):
    """A person has stopped or cancelled the study; ``hpo resume`` lets it go on."""

    exit_code = 3


class HeadBusy(HpoError):
    """Another ``hpo up`` serves the same folder."""

    exit_code = 3


class StorageUnavailable(HpoError):
    """The database can't be reached or opened; a worker backs off and tries again."""

    exit_code = 4

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        """Store the message.

        Args:
            message: What can't be reached, why, and the way out.
            lasting: Whether waiting will not help, as after a wrong password.
        """
        self.lasting = lasting
        super().__init__(message)


class ExperimentMoved(HpoError):
    """MLflow keeps a study's files under an HPO_HOME that has moved; a sync can begin a new experiment."""

    exit_code = 3


class ClaimLost(HpoError):
    """Someone else owns the trial now: drop the result and tell nobody."""
