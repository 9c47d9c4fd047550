"""The paths of an attempt, all in one object."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hpo import files

_BELOW_HOME = re.compile(r".*/(studies/[^/]+/trials/\d+-\d+)(/.*)?", re.DOTALL)


def here(stored: str, token: str, home: Path | None) -> str:
    """Return the path of an attempt's folder, or of a file in it, on this machine.

    ``stored`` is its path when the attempt ran. Since then its HPO_HOME may have moved: what lies at the same place
    under ``home`` and belongs to the attempt with this ``token`` is meant. Otherwise, and for an attempt of another
    machine, the answer is ``stored``.
    """
    found = None if home is None else _BELOW_HOME.fullmatch(stored)
    if home is None or found is None or stored.startswith(f"{home}/"):
        return stored
    folder = home / found[1]
    return f"{folder}{found[2] or ''}" if AttemptPaths(folder).belongs_to(token) else stored


@dataclass(frozen=True)
class AttemptPaths:
    """The files of one attempt; ``folder`` is also Ultralytics' ``save_dir``."""

    folder: Path

    @staticmethod
    def of(study_folder: Path, number: int, attempt: int) -> AttemptPaths:
        """Return the paths of an attempt.

        ``number`` is Optuna's trial number. ``attempt`` counts the attempts at the ordinal, from 1.
        """
        return AttemptPaths(study_folder / "trials" / f"{number:05d}-{attempt}")

    @property
    def owner(self) -> Path:
        """Path of the file with the attempt's token.

        Another machine may have a folder with the same path, and this one a folder of a deleted study with the same
        name. Files under another token do not belong to the attempt.
        """
        return self.folder / "attempt.txt"

    def claim(self, token: str) -> None:
        """Write ``token`` into the folder, which then belongs to that attempt."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files.write_text(self.owner, token)

    def belongs_to(self, token: str) -> bool:
        """Return whether the folder is on this machine and belongs to the attempt with this token."""
        try:
            return self.owner.read_text() == token
        except OSError:
            return False

    @property
    def best(self) -> Path:
        return self.folder / "weights" / "best.pt"

    @property
    def last(self) -> Path:
        return self.folder / "weights" / "last.pt"

    @property
    def checkpoints(self) -> Path:
        """Folder with the files for resuming (``hpo.trial.checkpoints``); other files lie there too."""
        return self.folder / "weights"

    @property
    def args(self) -> Path:
        return self.folder / "args.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results.csv"

    @property
    def operating_point(self) -> Path:
        """Path of the result of a sweep, ``SweepResult`` as JSON."""
        return self.folder / "operating_point.json"

    @property
    def predict(self) -> Path:
        """Path of the arguments of ``yolo predict`` at the setting that the sweep recommends."""
        return self.folder / "predict.yaml"

    @property
    def sweep_plot(self) -> Path:
        """Path of a picture of the sweep's result."""
        return self.folder / "sweep.png"

    @property
    def ended(self) -> Path:
        """Path of the ``Ended`` message as JSON. It is renamed into place before the message is sent, so that no result
        is lost.
        """
        return self.folder / "ended.json"

    @property
    def log(self) -> Path:
        """Path of stdout and stderr of the trial's process."""
        return self.folder / "log.txt"
