"""What stays on disk: best.pt of the best so many trials, and checkpoints of what can still be resumed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hpo.study.records import TrialRow
from hpo.trial import checkpoints
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import TrialState


def clean(study_folder: Path, trials: Iterable[TrialRow], keep: int) -> list[int]:
    """Remove weights that nobody will ask for; returns the numbers of the trials whose best.pt went.

    Logs, args.yaml, results.csv and plots always stay.
    """
    rows = list(trials)
    kept = best_first(rows)[:keep]
    keepers = {row.number for row in kept}
    open_ordinals = {row.ordinal for row in rows if row.state in (TrialState.RUNNING, TrialState.WAITING)}
    gone = []
    for row in rows:
        if row.ordinal in open_ordinals:
            continue
        newest = AttemptPaths(Path(row.folder)).folder if row.folder else None
        for attempt in study_folder.glob(f"trials/{row.number:05d}-*"):
            paths = AttemptPaths(attempt)
            paths.last.unlink(missing_ok=True)
            checkpoints.remove(paths.checkpoints)
            if (row.number not in keepers or attempt != newest) and paths.best.exists():
                paths.best.unlink()
                gone.append(row.number)
    return gone


def best_first(trials: Iterable[TrialRow]) -> list[TrialRow]:
    """Complete trials by value, the best first; of equals the earlier one."""
    complete = [row for row in trials if row.state is TrialState.COMPLETE and row.value is not None]
    return sorted(complete, key=lambda row: (-(row.value or 0.0), row.number))
