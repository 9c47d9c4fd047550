from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hpo.confirmation.weights import RunWeights
from hpo.errors import HpoError
from hpo.trial.paths import AttemptPaths
from tests.tracking.support import make_study, make_trial, settings_in


def test_those_on_this_machine_are_taken_where_they_are_the_attempts_own(tmp_path: Path) -> None:
    paths = AttemptPaths(tmp_path / "00000-1")
    row = make_trial(0, folder=str(paths.folder))
    weights = RunWeights(settings_in(tmp_path / "runs"), make_study(name="digits.confirm"))
    paths.best.parent.mkdir(parents=True)
    paths.best.touch()
    paths.claim("of another attempt")
    with pytest.raises(HpoError, match=r"hpo sync digits\.confirm"):
        weights.of(row)
    paths.claim(row.attempts[-1].token)
    assert weights.of(row) == paths.best


def test_what_a_worker_is_still_uploading_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shared = replace(settings_in(tmp_path / "runs"), artifact_root=None)
    row = make_trial(3, folder=str(tmp_path / "elsewhere"))
    with pytest.raises(HpoError, match=r"the weights of run 3 of digits\.confirm are neither on this machine"):
        RunWeights(shared, make_study(name="digits.confirm"), patience_s=0.1).of(row)
