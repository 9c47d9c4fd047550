"""Two projectors of one study, one of which is out of date: the runs end with the database's newest state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from hpo.settings import Settings
from hpo.study.records import EpochRow, TrialRow
from hpo.tracking.projection import Projector
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason
from tests.tracking.support import (
    UUID,
    Rows,
    attempt_folder,
    make_epochs,
    make_rows,
    make_study,
    make_trial,
    runs_by_key,
    shown,
    uploaded,
)


class Stopped(Rows):
    """Rows for a process that is stopped once between its read of the database and its write."""

    def __init__(self, rows: Rows, meanwhile: Callable[[], object], *, dies: bool = False) -> None:
        super().__init__(rows.study, rows.by_number, rows.epochs_of)
        self._meanwhile: Callable[[], object] | None = meanwhile
        self._dies = dies

    @override
    def trial(self, number: int) -> TrialRow:
        if self._meanwhile is None and self._dies:
            raise SystemExit(9)
        return super().trial(number)

    @override
    def epochs(self, number: int) -> list[EpochRow]:
        found = super().epochs(number)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return found


def running() -> Rows:
    rows = make_rows([Reason.COMPLETE])
    rows.put(make_trial(1, None, epochs=2), make_epochs(1, 2))
    return rows


def taken_over(rows: Rows, settings: Settings, reason: Reason) -> Callable[[], object]:
    """Return a function that gives the trial another owner, who ends it and shows that in MLflow."""

    def meanwhile() -> None:
        before = rows.trial(1)
        after = make_trial(1, reason)
        attempts = (*before.attempts, replace(after.attempts[0], attempt=2, worker="node-2", token="of node-2"))  # noqa: S106
        rows.put(replace(after, attempts=attempts, worker="node-2"), make_epochs(1, 5))
        Projector(settings, rows.study, rows).trial(1)

    return meanwhile


@pytest.mark.parametrize("reason", [Reason.COMPLETE, Reason.CRASH])
@pytest.mark.parametrize("known", [False, True])
def test_whoever_was_stopped_before_its_write_leaves_what_the_database_says(
    settings: Settings, other_settings: Settings, reason: Reason, known: bool
) -> None:
    rows = running()
    stopped = Stopped(rows, taken_over(rows, settings, reason))
    stale = Projector(settings, rows.study, stopped)
    if known:  # it has written to the run before
        stopped._meanwhile, meanwhile = None, stopped._meanwhile
        stale.trial(1)
        stopped._meanwhile = meanwhile
    stale.trial(1)
    assert rows.trial(1).reason is reason
    Projector(other_settings, rows.study, rows).trial(1)
    assert shown(settings) == shown(other_settings)
    assert shown(settings)[f"{UUID}/1"]["tags"]["token"] == "of node-2"  # noqa: S105
    assert runs_by_key(settings) == {f"{UUID}/1": 1}


def test_whoever_dies_after_such_a_write_is_corrected_by_the_next_sync(
    settings: Settings, other_settings: Settings
) -> None:
    rows = running()
    with pytest.raises(SystemExit):
        Projector(settings, rows.study, Stopped(rows, taken_over(rows, settings, Reason.CRASH), dies=True)).trial(1)
    assert shown(settings)[f"{UUID}/1"]["tags"]["state"] == "RUNNING"
    Projector(settings, rows.study, rows).everything()
    Projector(other_settings, rows.study, rows).everything()
    assert shown(settings) == shown(other_settings)


def test_a_sync_shows_what_ended_while_it_went_on(settings: Settings, other_settings: Settings) -> None:
    rows = running()
    Projector(settings, rows.study, Stopped(rows, taken_over(rows, settings, Reason.CRASH))).everything()
    Projector(other_settings, rows.study, rows).everything()
    assert shown(settings) == shown(other_settings)


def test_files_of_another_attempt_in_a_folder_of_the_same_path_never_reach_the_run(
    settings: Settings, tmp_path: Path
) -> None:
    """Make the files that a stale worker's machine has at the path of the owner's attempt on another machine."""
    rows = Rows(make_study())
    folder = attempt_folder(tmp_path / "00000-1")
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    run_id = Projector(settings, rows.study, rows).trial(0)
    held = uploaded(settings, run_id)
    assert held.keys() == {"best.pt", "args.yaml", "results.csv"}
    AttemptPaths(folder).claim("a stale worker's")
    (folder / "weights" / "best.pt").write_bytes(b"stale weights")
    (folder / "args.yaml").unlink()
    rows.by_number[0] = replace(rows.trial(0), detail="changed")
    Projector(settings, rows.study, rows).trial(0)
    assert uploaded(settings, run_id) == held
    assert shown(settings)[f"{UUID}/0"]["tags"]["detail"] == "changed"
