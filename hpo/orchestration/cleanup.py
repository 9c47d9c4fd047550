"""What stays on disk: best.pt of the N best trials, and the checkpoints of trials that can still be resumed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

from hpo.study.studies.leaderboard import Placement
from hpo.trial import checkpoints
from hpo.trial.paths import AttemptPaths

_ATTEMPT = re.compile(r"(\d+)-\d+")


class Cleaner:
    """Cleans one study's folder on this machine, which several workers may share.

    The cleaner stops looking at an attempt's folder once nothing more can be removed from it. In a long study, a look
    at every folder after every trial would take longer than a training.
    """

    def __init__(self, study_folder: Path, ask: Callable[[Collection[int]], Placement]) -> None:
        """Set ``ask``: it returns which of the trials ended for good, and which best ones keep their weights."""
        self._trials = study_folder / "trials"
        self._ask = ask
        self._bare: set[str] = set()

    def clean(self) -> list[int]:
        """Remove weights that are no longer needed; returns the numbers of the trials that lost their best.pt.

        Logs, args.yaml, results.csv and plots always stay.
        """
        found = self._attempts()
        placement = self._ask(set(found.values()))
        gone = []
        for name, number in sorted(found.items()):
            if number not in placement.ended:
                continue
            paths = AttemptPaths(self._trials / name)
            paths.last.unlink(missing_ok=True)
            checkpoints.remove(paths.checkpoints)
            if Path(placement.best.get(number, "")).name == name:  # its path may be that of a home that has moved
                continue  # this one is among the best until others are better
            if paths.best.exists():
                paths.best.unlink(missing_ok=True)
                gone.append(number)
            self._bare.add(name)
        return gone

    def _attempts(self) -> dict[str, int]:
        """Return the folders that may hold weights, with the numbers of their trials."""
        if not self._trials.is_dir():
            return {}
        names = {path.name for path in self._trials.iterdir()} - self._bare
        return {name: int(match[1]) for name in names if (match := _ATTEMPT.fullmatch(name))}
