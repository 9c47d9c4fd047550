"""An experiment of a home that has moved: nothing is written to the old place, and the study begins a new one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hpo.errors import ExperimentMoved
from hpo.settings import Settings
from hpo.tracking.client import connect
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Reason
from tests.tracking.support import make_rows, settings_in


def test_a_home_that_moved_is_not_made_again_and_the_study_gets_a_new_experiment(
    settings: Settings, tmp_path: Path
) -> None:
    rows = make_rows([Reason.COMPLETE, Reason.COMPLETE])
    first = Projector(settings, rows.study, rows).everything()
    moved = settings_in(Path(shutil.move(settings.home, tmp_path / "moved home")))
    with pytest.raises(ExperimentMoved, match=f"hpo sync {rows.study.name} --again") as caught:
        Projector(moved, rows.study, rows).everything()
    assert caught.value.exit_code == 3
    again = Projector(moved, rows.study, rows)
    again.begin_again()
    done = again.everything()
    assert (done.runs, done.created) == (2, 2)
    assert done.experiment_id != first.experiment_id
    assert not settings.home.exists()
    assert connect(moved.tracking_uri).get_experiment_by_name(rows.study.name).experiment_id == done.experiment_id
    unchanged = Projector(moved, rows.study, rows)
    unchanged.begin_again()
    assert unchanged.everything().unchanged == 2
