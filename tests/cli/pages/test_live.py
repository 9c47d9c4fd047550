"""Output of a worker about a study that other workers work on too."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from hpo.api.progress import Score
from hpo.cli.console import PlainConsole
from hpo.cli.pages.live import Lines
from hpo.errors import StorageUnavailable
from hpo.study.database.storage import open_storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.status import StatusRow
from hpo.study.studies import controls, snapshot
from hpo.study.studies.lifecycle import create_or_join
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason, reaction
from tests.conftest import Requests
from tests.study.support import FACTS, IDENTITY, admit_only, ended, study_spec, train


def test_trials_of_other_workers_and_a_new_budget_are_in_the_count(tmp_path: Path) -> None:
    with open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=True) as storage:
        study = create_or_join(storage, study_spec(trials=6), IDENTITY, FACTS)
        printed = io.StringIO()
        mine = WorkerSession(storage, study, "mine", None)
        score = Score(lambda: snapshot.status(storage, study))
        lines = Lines(PlainConsole(file=printed, width=200), study, score)
        request: TrialRequest = Requests(tmp_path / "data.yaml", tmp_path)()
        other = WorkerSession(storage, study, "other", None)
        train(other, admit_only(other))
        proposal = admit_only(mine)
        lines.trial_started(request, resumed_from=0)
        train(mine, proposal)
        controls.set_budget(storage, study, "test", trials=9, hours=None)
        lines.trial_ended(request.number, ended(value=0.5), reaction(Reason.COMPLETE, retries_left=0))
        assert "2/9 done" in printed.getvalue()


def test_while_the_database_is_away_what_was_known_is_shown(tmp_path: Path) -> None:
    with open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=True) as storage:
        study = create_or_join(storage, study_spec(trials=6), IDENTITY, FACTS)
        known = [snapshot.status(storage, study)]

    def ask() -> StatusRow:
        if not known:
            raise StorageUnavailable("away")
        return known.pop()

    score = Score(ask)
    score.refresh()
    assert (score.counted, score.total, score.best_text()) == (0, 6, "none yet")
    with pytest.raises(StorageUnavailable):
        Score(ask)


def test_an_end_names_its_trial_unless_it_follows_its_start(tmp_path: Path) -> None:
    with open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=True) as storage:
        study = create_or_join(storage, study_spec(trials=6), IDENTITY, FACTS)
        printed = io.StringIO()
        lines = Lines(PlainConsole(file=printed, width=200), study, Score(lambda: snapshot.status(storage, study)))
        request_for = Requests(tmp_path / "data.yaml", tmp_path)
        one, other, alone = (request_for() for _ in range(3))
        done = reaction(Reason.COMPLETE, retries_left=0)
        for start in (one, other):
            lines.trial_started(start, resumed_from=0)
        for end in (one, other):
            lines.trial_ended(end.number, ended(value=0.5), done)
        lines.trial_started(alone, resumed_from=0)
        lines.trial_ended(alone.number, ended(value=0.5), done)
    ends = [line.partition("complete")[0].strip() for line in printed.getvalue().splitlines() if "complete" in line]
    assert ends == [f"trial {one.number}", f"trial {other.number}", ""]


def test_what_a_child_says_is_text_whatever_it_holds(tmp_path: Path) -> None:
    with open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=True) as storage:
        study = create_or_join(storage, study_spec(trials=6), IDENTITY, FACTS)
        printed = io.StringIO()
        lines = Lines(PlainConsole(file=printed, width=200), study, Score(lambda: snapshot.status(storage, study)))
        request = Requests(tmp_path / "data.yaml", tmp_path)()
        lines.trial_started(request, resumed_from=0)
        told = ended(Reason.CRASH, detail="ValueError: [/x] [bold]\x1b]0;mine\x07")
        lines.trial_ended(request.number, told, reaction(Reason.CRASH, retries_left=0))
    assert r"ValueError: [/x] [bold]\x1b]0;mine" in printed.getvalue()
