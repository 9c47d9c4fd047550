"""A study run from Python: its events, the state that it leaves, and its early ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import hpo
from tests.api.conftest import Ran, mapping, state
from tests.conftest import ROOT


def test_after_a_run_environment_handlers_and_log_levels_are_as_they_were(ran: Ran) -> None:
    assert ran.after == ran.before


def test_each_trial_that_ends_is_told(ran: Ran, mine: hpo.Study) -> None:
    assert [trial.number for trial in ran.told] == [0, 1]
    assert [trial.state for trial in ran.told] == ["COMPLETE", "COMPLETE"]
    assert [trial.value for trial in ran.told] == list(mine.trials["value"])


def test_running_a_finished_study_again_trains_nothing(ran: Ran, mine: hpo.Study, tiny: Path) -> None:
    before = mine.trials
    again = hpo.run(mapping("mine", tiny), ["budget.trials=2"])
    assert again.trials.equals(before)
    assert again.status.state == "finished"


def test_another_content_under_the_name_is_a_conflict(ran: Ran, mine: hpo.Study, tiny: Path) -> None:
    with pytest.raises(hpo.StudyConflict, match="train"):
        hpo.run(mapping("mine", tiny, epochs=3), {"budget.trials": 2})


def test_a_wrong_mapping_names_the_path_of_each_key(home: Path, tiny: Path) -> None:
    with pytest.raises(hpo.SpecError) as caught:
        hpo.run(mapping("mine", tiny, epochs="many") | {"plots": object()}, {"budget.trails": 2})
    told = str(caught.value).splitlines()
    assert told[0].startswith("override: budget.trails: unknown key")
    assert any(line.startswith("study: train.epochs: ") for line in told)
    assert any(line.startswith("study: plots: a object has no place in a study") for line in told)
    assert not home.exists()


def test_relative_paths_of_a_mapping_begin_at_the_working_folder(home: Path, tiny: Path) -> None:
    (home.parent / "here.yaml").symlink_to(tiny)
    with pytest.raises(hpo.SpecError) as caught:
        hpo.run(mapping("mine", Path("here.yaml")) | {"model": "elsewhere/model.yaml"})
    assert [problem.path for problem in caught.value.problems] == ["model"]
    assert str(home.parent / "elsewhere" / "model.yaml") in str(caught.value)


@pytest.mark.long
def test_in_another_thread_it_runs_without_handlers_and_stop_ends_it(home: Path, tiny: Path) -> None:
    before, ended = state()["handlers"], threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(hpo.run, mapping("threaded", tiny, epochs=1), on_trial=lambda _trial: ended.set())
        while not ended.wait(0.2) and not running.done():
            continue
        assert state()["handlers"] == before
        hpo.load("threaded").stop()
        study = running.result(300)
    assert study.status.state == "stopped"
    assert study.status.counts["running"] == 0
    with pytest.raises(hpo.StudyStopped):
        hpo.run(mapping("threaded", tiny, epochs=1))


@pytest.mark.long
def test_a_run_beside_is_waited_for_and_an_error_of_on_trial_ends_it(home: Path, tiny: Path) -> None:
    before = state()

    def refuse(_trial: hpo.Trial) -> None:
        raise ZeroDivisionError("mine")

    study = hpo.run(mapping("beside", tiny, epochs=1), wait=False, on_trial=refuse)
    assert study.name == "beside"
    assert study.running
    with pytest.raises(ZeroDivisionError, match="mine"):
        study.wait()
    assert not study.running
    assert study.wait() is study  # told once
    assert study.status.counts["complete"] >= 1
    assert study.status.counts["running"] == 0
    assert study.status.state == "waiting"
    assert state() == before


def test_what_keeps_a_run_beside_from_beginning_is_raised_at_once(home: Path, tiny: Path) -> None:
    with pytest.raises(hpo.SpecError):
        hpo.run(mapping("Wrong Name", tiny), wait=False)


SCRIPT = """\
import hpo
try:
    hpo.run({study!r})
except KeyboardInterrupt:
    print("counts", hpo.load("long").status.counts)
"""


@pytest.mark.long
def test_ctrl_c_gives_the_trial_back_then_raises_and_a_script_needs_no_guard(
    home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = home.parent / "script.py"
    study = mapping("long", tiny, epochs=400) | {"data": str(tiny)}
    script.write_text(SCRIPT.format(study=study))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 300
        while not _is_training() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "stopping at the next epoch" in err
    assert out.startswith("counts {'waiting': 1, 'running': 0, 'complete': 0"), out + err


def _is_training() -> bool:
    from hpo.api.finding import find_study, stored
    from hpo.study.studies import snapshot

    try:
        with stored() as (_, storage):
            study = find_study(storage, "long")
            rows = snapshot.trials(storage, study)
            return any(snapshot.epochs(storage, study, row.number) for row in rows)
    except hpo.HpoError:  # there is no database yet
        return False


def test_another_home_while_a_study_runs_is_refused(home: Path, tmp_path: Path) -> None:
    from hpo.api import process

    with process.kept(home), pytest.raises(hpo.UsageError, match="runs in this process"), process.kept(tmp_path):
        pass


@pytest.mark.long
def test_no_handler_no_variable_and_no_level_stays_where_a_run_fails(home: Path, tiny: Path) -> None:
    before = state()
    with pytest.raises(hpo.UsageError, match="--gpus 7"):
        hpo.run(mapping("mine", tiny), device="7", slots_per_gpu=None)
    assert state() == before
