"""Files of a trial in a real MLflow store."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.settings import Settings
from hpo.studyfile.schema import Plots
from hpo.tracking import client
from hpo.tracking.artifacts import MANIFEST_TAG
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Reason
from tests.tracking.support import (
    Rows,
    attempt_folder,
    make_epochs,
    make_study,
    make_trial,
    uploaded,
)

Make = Callable[[Rows], Projector]


def test_artifacts_are_those_of_a_complete_trial(projector: Make, settings: Settings, tmp_path: Path) -> None:
    rows = Rows(make_study(plots="all"))
    complete = attempt_folder(tmp_path / "00000-1", pictures=("results.png", "labels.jpg"))
    pruned = attempt_folder(tmp_path / "00001-1")
    rows.put(make_trial(0, Reason.COMPLETE, folder=str(complete)), make_epochs(0, 5))
    rows.put(make_trial(1, Reason.PRUNED, folder=str(pruned)), make_epochs(1, 5))
    held = uploaded(settings, projector(rows).trial(0))
    assert held.keys() == {"best.pt", "args.yaml", "results.csv", "plots/results.png", "plots/labels.jpg"}
    assert held["best.pt"] == (complete / "weights" / "best.pt").read_bytes()
    assert uploaded(settings, projector(rows).trial(1)) == {}


def test_no_plots_are_uploaded_where_the_study_asks_for_none(
    projector: Make, settings: Settings, tmp_path: Path
) -> None:
    rows = Rows(make_study(plots="none"))
    folder = attempt_folder(tmp_path / "00000-1", pictures=("results.png",))
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    assert uploaded(settings, projector(rows).trial(0)).keys() == {"best.pt", "args.yaml", "results.csv"}


@pytest.mark.parametrize(("plots", "drawn"), [("none", set()), ("all", {"plots/results.png"})])
def test_what_a_sweep_found_is_uploaded_once_with_its_picture(
    projector: Make, settings: Settings, tmp_path: Path, plots: Plots, drawn: set[str]
) -> None:
    rows = Rows(make_study(plots=plots))
    folder = attempt_folder(tmp_path / "00000-1", pictures=("results.png", "sweep.png"))
    found = {"operating_point.json", "predict.yaml", "sweep.png"}
    for name in found:
        (folder / name).write_text(name)
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    held = uploaded(settings, projector(rows).trial(0)).keys()
    assert held == {"best.pt", "args.yaml", "results.csv"} | found | drawn


def test_weights_that_were_cleaned_up_leave_mlflow_too_and_the_rest_stays(
    projector: Make, settings: Settings, tmp_path: Path
) -> None:
    rows = Rows(make_study())
    folder = attempt_folder(tmp_path / "00000-1")
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    live = projector(rows)
    run_id = live.trial(0)
    (folder / "weights" / "best.pt").unlink()
    live.trial(0)
    assert uploaded(settings, run_id).keys() == {"args.yaml", "results.csv"}


def test_an_artifact_is_uploaded_once(projector: Make, settings: Settings, tmp_path: Path) -> None:
    rows = Rows(make_study())
    folder = attempt_folder(tmp_path / "00000-1")
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    run_id = projector(rows).trial(0)
    assert settings.artifact_root is not None
    (copy,) = settings.artifact_root.rglob("best.pt")
    copy.write_bytes(b"would be overwritten by a second upload")
    (folder / "args.yaml").write_text("epochs: 6\n")
    projector(rows).trial(0)
    held = uploaded(settings, run_id)
    assert held["best.pt"] == b"would be overwritten by a second upload"
    assert held["args.yaml"] == b"epochs: 6\n"


def test_artifacts_stay_where_the_attempts_folder_is_on_another_machine(
    projector: Make, settings: Settings, tmp_path: Path
) -> None:
    rows = Rows(make_study())
    folder = attempt_folder(tmp_path / "00000-1")
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    run_id = projector(rows).trial(0)
    [attempt] = rows.trial(0).attempts
    rows.by_number[0] = replace(
        rows.trial(0), attempts=(replace(attempt, folder="/nowhere/00000-1"),), detail="changed"
    )
    projector(rows).trial(0)
    assert "best.pt" in uploaded(settings, run_id)


@pytest.mark.parametrize(
    "named", ["../../../../mine", "../../../../../mine", "{mine}", "%2e%2e/%2e%2e/%2e%2e/%2e%2e/mine", ".", ""]
)
def test_a_tag_that_names_another_place_deletes_nothing(
    projector: Make, settings: Settings, tmp_path: Path, named: str
) -> None:
    rows, mine = Rows(make_study()), tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("x")
    rows.put(make_trial(0, folder=str(attempt_folder(tmp_path / "00000-1"))), make_epochs(0, 5))
    run_id = projector(rows).trial(0)
    tag = json.dumps({named.format(mine=mine): "0" * 16, "old.txt": "1" * 16})
    client.connect(settings.tracking_uri).set_tag(run_id, MANIFEST_TAG, tag)
    projector(rows).trial(0)
    assert (mine / "file").exists()
    assert uploaded(settings, run_id).keys() == {"best.pt", "args.yaml", "results.csv"}


@pytest.mark.parametrize("text", ["{", "[1]", "3", "[" * 100_000])
def test_a_tag_that_someone_has_changed_is_written_anew(
    projector: Make, settings: Settings, tmp_path: Path, text: str
) -> None:
    rows = Rows(make_study())
    rows.put(make_trial(0, folder=str(attempt_folder(tmp_path / "00000-1"))), make_epochs(0, 5))
    run_id = projector(rows).trial(0)
    connected = client.connect(settings.tracking_uri)
    connected.set_tag(run_id, MANIFEST_TAG, text[:5000])
    projector(rows).trial(0)
    assert "best.pt" in json.loads(connected.get_run(run_id).data.tags[MANIFEST_TAG])
