"""What the service costs: the same six trials as a bare loop of Ultralytics, as ``hpo run``, and as ``model.tune``.

    python benchmarks/overhead.py [--rounds 3] [--epochs 8]

(a) one process that calls ``YOLO(model).train(...)`` six times, (b) ``hpo run`` on a study of the same six settings
(``postprocess: none``, no pruner), (c) Ultralytics' ``model.tune`` with six iterations over the same name. Each is a
whole process from a cold start with a store of its own, and they alternate. CPU seconds are those of the process and of
all that it started: this script is their sub-reaper, so that no orphan is missed. Prints medians and ratios, the time
from a trial's admission to its first batch, and peak memory (VmHWM, sampled at 20 Hz) of worker and training; that of
a worker with the gp sampler, which loads torch, comes from a short study of its own in which gp really proposes.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from typing_extensions import override

from hpo.dataset import digits
from hpo.training import environment
from hpo.trial.messages import Ended, EpochReport
from hpo.trial.ports import Watcher
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reaction

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "configs" / "models" / "yolov8-w0625-r4.yaml"
LEARNING_RATES = (0.002, 0.004, 0.006, 0.008, 0.01, 0.012)
GP = ("search.sampler={name: gp, n_startup_trials: 2}", "search.enqueue=[]")
PR_SET_CHILD_SUBREAPER = 36
MIB = 2**20

BARE = """
import json, sys
from ultralytics import YOLO
from ultralytics.utils import SETTINGS
dict.__setitem__(SETTINGS, "mlflow", False)
asked = json.loads(sys.argv[1])
for number, lr0 in enumerate(asked["lr0"]):
    YOLO(asked["model"]).train(
        data=asked["data"], save_dir=f"{asked['folder']}/{number}", device="cpu", plots=False, lr0=lr0, **asked["train"]
    )
"""
TUNE = """
import json, sys
from ultralytics import YOLO
from ultralytics.utils import SETTINGS
SETTINGS.update({"mlflow": False, "sync": False})
asked = json.loads(sys.argv[1])
YOLO(asked["model"]).tune(
    data=asked["data"], iterations=len(asked["lr0"]), space={"lr0": (min(asked["lr0"]), max(asked["lr0"]))},
    project=asked["folder"], name="tune", device="cpu", plots=False, workers=0, save=True, val=True, **asked["train"]
)
"""
STUDY = """
name: overhead
data: {data}
model: {model}
train: {train}
space: {{lr0: {{low: 1e-3, high: 2e-2, log: true}}}}
objective: map50_95
search: {{sampler: tpe, pruner: none, enqueue: {enqueue}}}
budget: {{trials: {count}}}
baseline: false
postprocess: none
"""


@dataclass
class Figures:
    """CPU time of one whole process and all that it started."""

    wall_s: float
    cpu_s: float
    peak_mib: dict[str, float] = field(default_factory=dict)
    """Largest VmHWM of the ``main`` process and of the largest ``training`` below it."""


@dataclass
class FirstBatches(Watcher):
    """Notes the time from a trial's start to its first trained batch."""

    started_at: float = 0.0
    waits_s: list[float] = field(default_factory=list)

    @override
    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        self.started_at = time.monotonic()

    @override
    def progress(self, number: int, stage: str, epoch: int, fraction: float) -> None:
        if stage == "train" and self.started_at:
            self.waits_s.append(time.monotonic() - self.started_at)
            self.started_at = 0.0

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        return

    @override
    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        return

    @override
    def trial_lost(self, number: int) -> None:
        return


def main() -> None:
    options = _options()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="overhead-") as place:
        folder = Path(place)
        data = digits.make(folder / "digits")
        train: dict[str, Any] = {
            "epochs": options.epochs,
            "imgsz": 96,
            "batch": 8,
            "nbs": 8,
            "optimizer": "AdamW",
            "close_mosaic": 1,
        }
        train |= {"seed": 0, "warmup_epochs": 1.0}
        asked: dict[str, Any] = {"model": str(MODEL), "data": str(data), "train": train}
        asked["lr0"] = list(LEARNING_RATES)
        results: dict[str, list[Figures]] = {"bare loop": [], "hpo run": [], "model.tune": []}
        for number in range(options.rounds):
            for name, figures in results.items():
                figures.append(_measure(name, folder / f"{number}-{name.replace(' ', '-')}", asked))
                print(
                    f"round {number + 1}, {name}: {figures[-1].wall_s:.1f} s, CPU {figures[-1].cpu_s:.1f} s", flush=True
                )
        _report(results)
        short = asked | {"train": train | {"epochs": 1, "close_mosaic": 0, "warmup_epochs": 0.0}}
        gp = _measure("hpo run", folder / "gp", short, *GP)
        print(f"worker with gp: {gp.peak_mib['main']:.0f} MiB")
        # last: it leaves a forkserver below this process, for which `_collect_orphans` would wait for ever
        waits = _first_batches(folder / "first", asked)
        print(f"first batch after admission: median {statistics.median(waits):.2f} s, largest {max(waits):.2f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    return parser.parse_args()


def _measure(name: str, folder: Path, asked: dict[str, Any], *overrides: str) -> Figures:
    folder.mkdir()
    asked = asked | {"folder": str(folder)}
    match name:
        case "bare loop":
            command = [sys.executable, "-c", BARE, json.dumps(asked)]
        case "model.tune":
            command = [sys.executable, "-c", TUNE, json.dumps(asked)]
        case _:
            command = [sys.executable, "-m", "hpo", "run", str(_study(folder, asked)), *overrides]
    own = {"HPO_STORAGE", "MLFLOW_TRACKING_URI", "HPO_HOME"}
    env = {name: value for name, value in os.environ.items() if name not in own}
    env |= environment.prepare(folder / "runs") | {"HPO_HOME": str(folder / "runs"), "PYTHONPATH": str(ROOT)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with _peaks(process.pid) as peaks:
        code = process.wait()
        wall_s = time.monotonic() - start
    if code != 0:
        raise SystemExit(f"{name} ended with {code}")
    _collect_orphans()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Figures(wall_s, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, peaks)


def _study(folder: Path, asked: dict[str, Any]) -> Path:
    path = folder / "overhead.yaml"
    rates = asked["lr0"]
    assert isinstance(rates, list)
    enqueue = json.dumps([{"lr0": rate} for rate in rates])
    train = json.dumps(asked["train"])
    path.write_text(
        STUDY.format(data=asked["data"], model=asked["model"], train=train, enqueue=enqueue, count=len(rates))
    )
    return path


def _collect_orphans() -> None:
    """Wait for what was left to this process, so that its CPU time counts."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


@contextmanager
def _peaks(pid: int) -> Iterator[dict[str, float]]:
    peaks = {"main": 0.0, "training": 0.0}
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.05):
            try:
                below = psutil.Process(pid).children(recursive=True)
            except psutil.NoSuchProcess:
                return
            peaks["main"] = max(peaks["main"], _high_water_mib(pid))
            peaks["training"] = max([peaks["training"], *(_high_water_mib(process.pid) for process in below)])

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peaks
    finally:
        done.set()
        thread.join()


def _high_water_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _report(results: dict[str, list[Figures]]) -> None:
    print(f"\n{'':12} {'wall s':>8} {'CPU s':>8} {'worker MiB':>11} {'training MiB':>13}")
    middle: dict[str, tuple[float, float]] = {}
    for name, figures in results.items():
        wall = statistics.median(each.wall_s for each in figures)
        cpu = statistics.median(each.cpu_s for each in figures)
        middle[name] = wall, cpu
        main_mib = max(each.peak_mib["main"] for each in figures)
        below_mib = max(each.peak_mib["training"] for each in figures)
        print(f"{name:12} {wall:8.1f} {cpu:8.1f} {main_mib:11.0f} {below_mib:13.0f}")
    for other in ("bare loop", "model.tune"):
        wall, cpu = (ours / theirs for ours, theirs in zip(middle["hpo run"], middle[other], strict=True))
        print(f"hpo run / {other}: wall {wall:.2f}, CPU {cpu:.2f}")


def _first_batches(folder: Path, asked: dict[str, Any]) -> list[float]:
    from hpo.orchestration.stop import StopRequest
    from hpo.settings import load_settings
    from hpo.wiring.opening import opened

    folder.mkdir()
    watcher = FirstBatches()
    settings = load_settings({"HPO_HOME": str(folder / "runs")})
    with opened(_study(folder, asked), ["train.epochs=2", "train.close_mosaic=0"], settings) as site:
        site.work(watcher, StopRequest())
    return watcher.waits_s


if __name__ == "__main__":
    main()
