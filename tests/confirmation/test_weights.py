from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hpo.confirmation import weights
from hpo.errors import HpoError
from hpo.trial.paths import AttemptPaths
from tests.tracking.support import make_study, make_trial, settings_in


def test_those_on_this_machine_are_taken_where_they_are_the_attempts_own(tmp_path: Path) -> None:
    paths = AttemptPaths(tmp_path / "00000-1")
    row = make_trial(0, folder=str(paths.folder))
    settings, stage = settings_in(tmp_path / "runs"), make_study(name="digits.confirm")
    paths.best.parent.mkdir(parents=True)
    paths.best.touch()
    paths.claim("of another attempt")
    with pytest.raises(HpoError, match=r"hpo sync digits\.confirm"):
        weights.of_run(settings, stage, row)
    paths.claim(row.attempts[-1].token)
    assert weights.of_run(settings, stage, row) == paths.best


def test_what_a_worker_is_still_uploading_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shared = replace(settings_in(tmp_path / "runs"), artifact_root=None)
    row = make_trial(3, folder=str(tmp_path / "elsewhere"))
    with pytest.raises(HpoError, match=r"the weights of run 3 of digits\.confirm are neither on this machine"):
        weights.of_run(shared, make_study(name="digits.confirm"), row, patience_s=0.1)
