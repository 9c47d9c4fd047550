"""What a GPU makes of several trials at a time, and what a trial takes of its memory.

    python benchmarks/gpu.py DATA.YAML [--model yolov8n.yaml] [--imgsz 320] [--batch 16] [--epochs 5] [--slots 1 2 4 8]
                             [--trials 2] [--memory 320x16 640x16 640x32]

Each number of slots runs a study of its own to its end (``hpo run --slots-per-gpu N``, the same settings, ``--trials``
of them a slot, from a cold start). Printed: trials an hour and their ratio to one slot, an epoch's seconds, the mean
load of the GPU (share of the time in which a kernel ran, by NVML) and of the CPU cores. Then for each image size and
batch what one training of one epoch said it took (torch's allocator, and beyond it) beside what the device lost.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pynvml

ROOT = Path(__file__).parents[1]
MIB = 2**20
STUDY = """\
name: slots
data: {data}
model: {model}
train: {{epochs: {epochs}, imgsz: {imgsz}, batch: {batch}, optimizer: AdamW, close_mosaic: {close_mosaic}, cache: ram}}
space:
  lr0: {{low: 1e-3, high: 2e-3}}
objective: map50
plots: none
search: {{seed: 0, sampler: random, pruner: none}}
budget: {{trials: {trials}}}
"""


@dataclass
class Load:
    """Use of the first GPU and of the machine while the block runs, sampled twenty times a second."""

    gpu: list[float] = field(default_factory=list)
    """Percent of the time."""
    mib: list[float] = field(default_factory=list)
    cores: float = 0.0
    """Mean number of busy ones."""
    seconds: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Load:
        pynvml.nvmlInit()
        self._began = time.monotonic()
        psutil.cpu_percent()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cores = psutil.cpu_percent() / 100 * (os.cpu_count() or 1)
        self.seconds = time.monotonic() - self._began
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        while True:
            self.gpu.append(float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu))
            self.mib.append(float(pynvml.nvmlDeviceGetMemoryInfo(handle).used) / MIB)
            if self._over.wait(0.05):
                return


def main() -> int:
    asked = _arguments()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        print(f"no NVIDIA GPU whose driver answers: {error}", file=sys.stderr)
        return 1
    print(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)), f"{os.cpu_count()} CPU cores", flush=True)
    first = 0.0
    for slots in asked.slots:
        with tempfile.TemporaryDirectory() as folder:
            rate = _slots(Path(folder), asked, slots, first)
        first = first or rate
    for size in asked.memory:
        imgsz, _, batch = size.partition("x")
        with tempfile.TemporaryDirectory() as folder:
            _memory(Path(folder), asked, int(imgsz), int(batch))
    return 0


def _slots(folder: Path, asked: argparse.Namespace, slots: int, first: float) -> float:
    trials = slots * asked.trials
    with Load() as load:
        told = _run(folder, asked, slots)
    rate: float = 3600 * trials / load.seconds
    epochs = [epoch["seconds"] for trial in told for epoch in trial["curve"][1:]]
    begin = statistics.median(trial["duration_s"] - sum(epoch["seconds"] for epoch in trial["curve"]) for trial in told)
    print(
        f"{slots:3d} slots: {trials} trials in {load.seconds:.1f} s, {rate:.0f} an hour "
        f"({rate / (first or rate):.2f}x), an epoch {statistics.median(epochs):.2f} s, "
        f"beside its epochs a trial {begin:.1f} s, "
        f"GPU {statistics.fmean(load.gpu):.0f}%, cores {load.cores:.1f}, {max(load.mib) - load.mib[0]:.0f} MiB",
        flush=True,
    )
    return rate


def _memory(folder: Path, asked: argparse.Namespace, imgsz: int, batch: int) -> None:
    with Load() as load:
        [trial] = _run(folder, asked, 1, imgsz=imgsz, batch=batch, epochs=1, close_mosaic=0, trials=1)
    said = trial["attempts"][-1]["effective"]["peak_mib"]
    taken = max(load.mib) - load.mib[0]
    print(f"imgsz {imgsz}, batch {batch}: said {said:.0f} MiB, the device lost {taken:.0f} MiB", flush=True)


def _run(folder: Path, asked: argparse.Namespace, slots: int, **changes: int) -> list[dict[str, Any]]:
    """The trials of a finished study, as ``hpo trial N --json`` tells them; ``changes``: of imgsz, batch, ..."""
    values = {**vars(asked), "trials": slots * asked.trials, "close_mosaic": 1, **changes}
    (folder / "slots.yaml").write_text(STUDY.format(**values | {"data": asked.data.resolve()}))
    _hpo(folder, "run", "slots.yaml", "--slots-per-gpu", str(slots))
    return [json.loads(_hpo(folder, "trial", str(number), "--json")) for number in range(values["trials"])]


def _hpo(folder: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HPO_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-m", "hpo", *words],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"hpo {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="data.yaml")
    parser.add_argument("--model", default="yolov8n.yaml")
    for name, default in (("imgsz", 320), ("batch", 16), ("epochs", 5), ("trials", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--memory", nargs="*", default=["320x16", "640x16", "640x32"], help="imgsz x batch")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
