"""The folder that ``hpo.tune`` leaves, as Ultralytics' ``model.tune`` does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo import files
from hpo.api.finding import stored
from hpo.errors import HpoError, UsageError
from hpo.processes import python_command
from hpo.settings import without_secrets
from hpo.studyfile.arguments import arguments
from hpo.studyfile.text.ultralytics_yaml import write_arguments

if TYPE_CHECKING:
    from hpo.study.records import StudyRow, TrialRow

RUNS = Path("runs", "detect")
"""Where Ultralytics writes, in the working folder."""
FILE = "best_hyperparameters.yaml"


@dataclass(frozen=True)
class Tuned:
    """A folder of ``runs/detect``, and the study of the same name."""

    folder: Path
    """Absolute."""
    study: str
    is_stored: bool
    """Whether the database holds the study."""
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def at(cls, project: str | os.PathLike[str] | None, name: str | None, *, again: bool) -> Tuned:
        """Choose folder and study.

        Args:
            project: A folder in ``runs/detect``, or an absolute one.
            name: What both are called; None for ``tune``.
            again: Use what is there; otherwise a number is appended until neither is taken.

        Returns:
            The folder, which is not made yet, and the study's name.
        """
        base, known = (RUNS / (project or "")).absolute(), _names()
        wanted = name or "tune"
        number = 2
        tried = wanted
        while not again and ((base / tried).exists() or tried in known):
            tried, number = f"{wanted}-{number}", number + 1
        return cls(base / tried, tried, tried in known)

    def data(self, given: str | os.PathLike[str]) -> str:
        """Find the data.yaml of a data set; one that Ultralytics knows by name is fetched first, if need be.

        Args:
            given: A file, or the name of a data set of Ultralytics.

        Returns:
            The path of the data.yaml.

        Raises:
            UsageError: It is neither a path nor a name, such as a list of data sets.
            HpoError: It can't be had.
        """
        name = os.fspath(given) if isinstance(given, str | os.PathLike) else None
        if name is None:
            raise UsageError(f"data: {given!r}: one data set makes a study; call tune for each of several")
        known = arguments.package() / "cfg" / "datasets" / Path(name).with_suffix(".yaml")
        if Path(name).exists() or Path(name).name != name or not known.is_file():
            return name
        yaml = self.folder / "data.yaml"
        if not yaml.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_arguments(yaml, f"{known.name} of Ultralytics, where it lies on this machine", _fetched(known.name))
        return str(yaml)


def _names() -> list[str]:
    from hpo.study.studies import lifecycle

    try:
        with stored() as (_, storage):
            return lifecycle.names(storage)
    except UsageError:  # no database yet
        return []


def _fetched(name: str) -> dict[str, Any]:
    """The description of a data set of Ultralytics, which lies where its users' settings say."""
    command = python_command("hpo.training.ultralytics_internals.datasets", name)
    done = subprocess.run(command, env=without_secrets(os.environ), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise HpoError(f"data: {name}: Ultralytics can't fetch it: {why}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_best(place: Tuned, iterations: int) -> None:
    """Write ``best_hyperparameters.yaml`` and ``weights/best.pt`` of the best trial so far, if there is one.

    Args:
        place: The folder and the study.
        iterations: Trials of the budget, for the file's first line.
    """
    from hpo.orchestration import handover
    from hpo.study.studies import lifecycle, snapshot

    with stored() as (_, storage):
        study = lifecycle.load(storage, place.study)
        status = snapshot.status(storage, study)
        if status.best is None:
            return
        best = snapshot.trial(storage, study, status.best.number)
    folder = place.folder / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    weights = handover.weights_of(best)
    if weights is not None:
        with files.written_aside(folder / "best.pt") as aside:
            shutil.copyfile(weights, aside)
    seconds = time.monotonic() - place.began
    said = f"{status.budget.counted}/{iterations} iterations complete ({seconds:.2f}s)"
    write_arguments(place.folder / FILE, "\n".join([said, *_title(place, best)]), _values(study, best))


def _title(place: Tuned, best: TrialRow) -> list[str]:
    """The comment lines of Ultralytics' file."""
    metrics = {name: round(value, 5) for name, value in best.metrics.items()}
    return [
        f"Results saved to {place.folder}",
        f"Best fitness={best.value} observed at iteration {best.number + 1}",
        f"Best fitness metrics are {metrics}",
        f"Best fitness model is {place.folder / 'weights'}",
    ]


def _values(study: StudyRow, best: TrialRow) -> dict[str, Any]:
    """The space's arguments as the best trial was trained with; of the defaults where it is the baseline."""
    usual = arguments.defaults()
    found = {name: best.params.get(name, best.train.get(name, usual.get(name))) for name in study.spec.searched.names}
    return {
        name: float(value) if isinstance(value, int) and arguments.kind(name) not in ("whole", "flag") else value
        for name, value in found.items()
    }
