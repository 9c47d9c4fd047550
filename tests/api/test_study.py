"""A stored study read from Python gives the same facts as the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import hpo
from hpo.api.documents import plain
from hpo.cli.main import cli
from tests.api.conftest import Ran


def printed(*words: str) -> Any:
    """Return what a command prints with --json."""
    done = CliRunner().invoke(cli, [*words, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=plain))


def test_the_trials_are_those_of_hpo_trials(mine: hpo.Study) -> None:
    told = printed("trials", "mine")
    assert len(told) == 2
    assert mine.trials.equals(pd.DataFrame(told))
    assert list(mine.trials.columns) == list(told[0])


def test_the_best_is_that_of_hpo_best(mine: hpo.Study) -> None:
    told = printed("best", "mine")
    best = mine.best
    assert as_json(best.to_dict()) == told
    assert (best.value, best.params, best.operating_point) == (told["value"], told["params"], None)
    assert best.weights is not None
    assert best.weights.is_file()


def test_weights_that_are_gone_are_none(mine: hpo.Study) -> None:
    weights = mine.best.weights
    assert weights is not None
    aside = weights.with_name("aside.pt")
    weights.rename(aside)
    try:
        assert mine.best.weights is None
        with pytest.raises(hpo.HpoError, match="no longer on this machine"):
            mine.save(weights.parent / "winner")
    finally:
        aside.rename(weights)


def test_saving_writes_what_ultralytics_reads(mine: hpo.Study, tmp_path: Path) -> None:
    saved = mine.save(tmp_path / "winner")
    assert saved.weights == tmp_path / "winner" / "best.pt"
    assert saved.hyperparameters is not None
    assert "epochs: 2" in saved.hyperparameters.read_text()
    assert saved.predict is not None
    assert saved.predict.is_file()


def test_the_status_is_that_of_hpo_status(mine: hpo.Study) -> None:
    assert as_json(mine.status.to_dict()) == printed("status", "mine")
    assert mine.status.state == "finished"


def test_a_study_is_paused_stopped_cancelled_and_let_go_on(mine: hpo.Study) -> None:
    for change, control in ((mine.pause, "pause"), (mine.stop, "stop"), (mine.cancel, "cancel"), (mine.resume, "run")):
        change()
        assert mine.status.control == control


def test_a_report_is_one_file(mine: hpo.Study, tmp_path: Path) -> None:
    assert "mine" in mine.report(tmp_path / "out" / "report.md").read_text()
    assert mine.report(tmp_path / "page", form="html").read_text().startswith("<!doctype html")
    with pytest.raises(hpo.UsageError, match=r"neither in \.html nor in \.md"):
        mine.report(tmp_path / "report.txt")


def test_a_sync_brings_nothing_new_after_a_run(mine: hpo.Study) -> None:
    done = mine.sync()
    assert (done["study"], done["runs"], done["created"], done["registered"]) == ("mine", 2, 0, [])
    assert done.keys() == printed("sync", "mine").keys()


def test_numbers_that_confirm_nothing_are_refused(mine: hpo.Study) -> None:
    with pytest.raises(hpo.UsageError, match="at least 1 and seeds at least 2"):
        mine.confirm(seeds=1)
    with pytest.raises(hpo.UsageError, match="no study"):
        hpo.load("mine.confirm").confirm()


def test_a_study_is_loaded_by_its_name_its_file_or_as_the_only_one(ran: Ran, mine: hpo.Study, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("name: mine\n")
    assert hpo.load().name == hpo.load(file).name == hpo.load("mine").name == "mine"
    assert repr(mine) == "hpo.load('mine')"
    with pytest.raises(hpo.UsageError, match="theirs"):
        hpo.load("theirs")


def test_without_a_database_loading_says_how_to_make_one(home: Path) -> None:
    with pytest.raises(hpo.UsageError, match="hpo run"):
        hpo.load()


@pytest.mark.long
def test_a_study_is_confirmed_and_promoted(mine: hpo.Study, tmp_path: Path) -> None:
    verdict = mine.confirm(top=1, seeds=2)
    assert verdict == printed("confirm", "mine")
    assert verdict["claim"] in ("beats", "no difference", "loses")
    told = mine.promote(tmp_path / "final", register=False)
    assert told["confirmed"]
    assert (tmp_path / "final" / "model-card.md").is_file()
    assert mine.best.confirm is not None
