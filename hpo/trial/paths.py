"""One object owns every path of an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class AttemptPaths:
    """The files of one attempt; ``folder`` is also Ultralytics' ``save_dir``."""

    folder: Path

    @staticmethod
    def of(study_folder: Path, number: int, attempt: int) -> AttemptPaths:
        """``number`` is Optuna's trial number, ``attempt`` counts the ordinal's attempts from 1."""
        return AttemptPaths(study_folder / "trials" / f"{number:05d}-{attempt}")

    @property
    def owner(self) -> Path:
        """The attempt's token. Another machine may hold a folder of the same path, and this one a folder of a study of
        the same name that was deleted: what has another token says nothing of the attempt.
        """
        return self.folder / "attempt.txt"

    def claim(self, token: str) -> None:
        """Makes the folder the attempt's own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.owner.write_text(token)

    def belongs_to(self, token: str) -> bool:
        """Whether the folder is on this machine, and of the attempt of this token."""
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
        """Folder of what is needed to go on (``hpo.trial.checkpoints``); other files lie there too."""
        return self.folder / "weights"

    @property
    def args(self) -> Path:
        return self.folder / "args.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results.csv"

    @property
    def operating_point(self) -> Path:
        """What a sweep found, ``SweepResult`` as JSON."""
        return self.folder / "operating_point.json"

    @property
    def predict(self) -> Path:
        """Arguments of ``yolo predict`` at the setting that the sweep recommends."""
        return self.folder / "predict.yaml"

    @property
    def sweep_plot(self) -> Path:
        """A picture of what a sweep found."""
        return self.folder / "sweep.png"

    @property
    def ended(self) -> Path:
        """The ``Ended`` message as JSON, renamed into place before it is sent: a result is never lost."""
        return self.folder / "ended.json"

    @property
    def log(self) -> Path:
        """stdout and stderr of the trial's process."""
        return self.folder / "log.txt"
