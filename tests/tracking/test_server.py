"""MLflow's real server on loopback: projection over HTTP, its pages in a browser, the end of ``hpo ui``."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, expect

from hpo.errors import UsageError
from hpo.servers import Address
from hpo.settings import Settings
from hpo.tracking import ui
from hpo.tracking.projection import Projector
from hpo.tracking.thread import Pace, ProjectionThread
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
    settings_in,
    shown,
)

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
REASONS = [Reason.COMPLETE, Reason.COMPLETE, Reason.PRUNED, Reason.COMPLETE, Reason.CRASH]


@dataclass
class Served:
    """A store that was projected into directly, and the server that shows it."""

    settings: Settings
    rows: Rows
    url: str
    process: subprocess.Popen[bytes]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served")
    settings = settings_in(home)
    rows = make_rows(list(REASONS), study=make_study(plots="all"))
    folder = attempt_folder(home / "00000-1", pictures=("results.png",))
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    Projector(settings, rows.study, rows).everything()
    address = Address("127.0.0.1", free_port())
    with ui.server(settings, address) as process:
        yield Served(settings, rows, address.url, process)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
        return answer.read()


def test_files_kept_under_local_paths_are_listed_and_served(served: Served) -> None:
    run_id = served.rows.trial(0).mlflow_run_id
    listed = json.loads(get(f"{served.url}/api/2.0/mlflow/artifacts/list?run_id={run_id}"))
    assert {file["path"] for file in listed["files"]} == {"best.pt", "args.yaml", "results.csv", "plots"}
    assert get(f"{served.url}/get-artifact?path=args.yaml&run_uuid={run_id}") == b"epochs: 5\n"
    assert get(f"{served.url}/get-artifact?path=plots/results.png&run_uuid={run_id}") == b"picture results.png"


def test_a_server_over_http_shows_what_a_local_store_would(served: Served, other_settings: Settings) -> None:
    study = make_study(uuid="11111111-0000-4000-8000-000000000003", name="remote")
    rows = make_rows(list(REASONS), study=study)
    folder = attempt_folder(other_settings.home / "00000-1")
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    remote = Settings(served.settings.home, "", served.url, None)
    first = Projector(remote, rows.study, rows).everything()
    again = Projector(remote, rows.study, rows).everything()
    assert (first.created, again.created, again.unchanged) == (len(REASONS), 0, len(REASONS))
    Projector(other_settings, rows.study, rows).everything()
    there = {key: held for key, held in shown(served.settings).items() if key.startswith(study.uuid)}
    assert there == shown(other_settings)
    assert {runs_by_key(served.settings)[key] for key in there} == {1}
    run_id = rows.trial(0).mlflow_run_id
    (folder / "weights" / "best.pt").unlink()
    assert Projector(remote, rows.study, rows).trial(0) != run_id  # the id of the other store was stored last
    assert len(list((served.settings.home / "mlartifacts").rglob("args.yaml"))) == 2
    assert len(list((served.settings.home / "mlartifacts").rglob("best.pt"))) == 1


def test_what_happened_while_the_server_was_dead_is_there_when_it_is_back(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    rows = make_rows(list(REASONS))
    address = Address("127.0.0.1", free_port())
    remote = Settings(settings.home, "", address.url, None)
    with ui.server(settings, address) as process:
        thread = ProjectionThread(Projector(remote, rows.study, rows), Pace(trial_s=0, study_s=0))
        thread.touch(0)
        wait_until(lambda: rows.trial(0).mlflow_run_id is not None)
        os.killpg(process.pid, signal.SIGKILL)
    for number in range(len(REASONS)):
        thread.touch(number)
    wait_until(lambda: any("training goes on" in record.getMessage() for record in caplog.records))
    with ui.server(settings, address):
        assert thread.close(60) == 0
    assert runs_by_key(settings) == {f"{UUID}/{name}": 1 for name in (*range(len(REASONS)), "study")}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_page_is_the_view_only_where_mlflow_holds_the_experiment(served: Served) -> None:
    assert ui.is_view(ui.page(served.url, served.rows.experiment_id))
    assert ui.page(served.url, "987654") == f"{served.url}/#/experiments"
    assert ui.page(served.url, None) == f"{served.url}/#/experiments"


def test_what_answers_with_something_else_than_http_is_no_server_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as echo:

        def answer() -> None:
            connection, _ = echo.accept()
            with connection:
                connection.sendall(connection.recv(4096))  # as a socket does that is connected to itself

        with ThreadPoolExecutor(1) as pool:
            pool.submit(answer)
            assert ui.page(f"http://127.0.0.1:{echo.getsockname()[1]}", "1")


def test_a_port_that_is_taken_is_an_error_with_a_way_out(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    with (
        pytest.raises(UsageError, match=f"hpo ui --port {port + 1}"),
        ui.server(served.settings, Address("127.0.0.1", port)),
    ):
        pass


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_the_command_leaves_no_process_behind(asked: signal.Signals, tmp_path: Path) -> None:
    port = free_port()
    code = (
        "import sys; from pathlib import Path; from hpo.servers import Address; from hpo.tracking import ui; "
        "from tests.tracking.support import settings_in; "
        f"ui.serve(settings_in(Path(sys.argv[1])), Address('127.0.0.1', {port}), lambda url: print(url, flush=True))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == f"http://127.0.0.1:{port}"
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        os.kill(process.pid, asked)
        assert process.wait(30) == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 2400, "height": 1200})
    yield page
    page.close()


def test_the_prepared_view_lists_the_trials_best_first_with_the_spaces_columns(served: Served, page: Page) -> None:
    page.goto(ui.page(served.url, served.rows.experiment_id))
    names = page.locator("a", has_text="trial-0000")
    expect(names).to_have_count(len(REASONS), timeout=60_000)
    complete = [row for row in served.rows.trials() if row.value is not None]
    best_first = [f"trial-{row.number:05d}" for row in sorted(complete, key=lambda row: -(row.value or 0))]
    assert names.all_inner_texts()[: len(complete)] == best_first
    for column in ("value", "objective", "lr0", "weight_decay", "optimizer", "iou", "conf", "state", "reason"):
        expect(page.get_by_role("columnheader").filter(has_text=column).first).to_be_visible()
    expect(page.get_by_text("5 matching runs")).to_be_visible()  # the study's own run is not among them


def test_the_charts_page_draws_curves_parallel_coordinates_and_scatters(served: Served, page: Page) -> None:
    page.goto("about:blank")
    page.goto(ui.page(served.url, served.rows.experiment_id) + "&compareRunsMode=CHART")
    for title in ("Comparison", "Parallel Coordinates", "lr0 vs. value"):
        expect(page.get_by_text(title).first).to_be_visible(timeout=60_000)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=60_000)
