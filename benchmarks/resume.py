"""Whether a resumed training comes to another result than an uninterrupted one: by more than two seeds differ?

    python benchmarks/resume.py DATA.YAML [--pairs 8] [--epochs 10] [--imgsz 96] [--fraction 1.0] [--loader-workers 2]

For each seed one training is left alone, and one is given back after half of its epochs and goes on in a new process
from its checkpoint. Prints the pairs; the mean and the largest difference within them; the same between the
uninterrupted trainings of any two seeds. On a CPU Ultralytics loads images in the training's own process, and resuming
is exact (differences of 0); ``--loader-workers`` gives the loader processes of its own, as on a GPU, whose random
states no checkpoint holds.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hpo.dataset.description import write_resolved
from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training import child, environment
from hpo.trial import checkpoints
from hpo.trial.messages import Answer, Ended, EpochReport
from hpo.trial.objective import Objective
from hpo.trial.paths import AttemptPaths
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Metric, Reason

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "configs" / "models" / "yolov8-w0625-r4.yaml"
SILENCE_S = 600.0
_STUDY = "workers-"
"""How many loader workers are wanted reaches the trial's process in the study's name."""


def main() -> int:
    asked = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), asked)
        pairs = []
        for seed in range(asked.pairs):
            pairs.append((bench.whole(seed), bench.resumed(seed)))
            print(f"seed {seed}: uninterrupted {pairs[-1][0]:.4f}, resumed {pairs[-1][1]:.4f}", flush=True)
    within = [abs(whole - resumed) for whole, resumed in pairs]
    between = [abs(one - other) for one, other in itertools.combinations([whole for whole, _ in pairs], 2)]
    print(f"resumed against uninterrupted, {len(within)} pairs: {_spread(within)}")
    print(f"two seeds, {len(between)} pairs: {_spread(between)}")
    mean = statistics.fmean(resumed - whole for whole, resumed in pairs)
    print(f"mean of resumed less uninterrupted: {mean:+.4f}")
    return 0


def _spread(differences: list[float]) -> str:
    return f"mean {statistics.fmean(differences):.4f}, largest {max(differences):.4f}"


@dataclass
class Bench:
    folder: Path
    asked: argparse.Namespace

    def __post_init__(self) -> None:
        self.data = self.folder / "data.yaml"
        write_resolved(self.asked.data.resolve(), self.data)
        prepared = environment.prepare(self.folder / "home")
        self.launcher = ForkserverLauncher(_entry, "hpo.training.ultralytics_internals.preload", prepared)

    def whole(self, seed: int) -> float:
        return _value(self._train(self._request(seed, "whole")))

    def resumed(self, seed: int) -> float:
        half = self.asked.epochs // 2
        first = self._request(seed, "first")
        if self._train(first, give_back=half).reason is not Reason.GIVEN_BACK:
            raise RuntimeError(f"seed {seed}: the first half was not given back")
        saved = checkpoints.newest(AttemptPaths(Path(first.folder)).checkpoints, first.token)
        if saved is None or saved.epoch != half:
            raise RuntimeError(f"seed {seed}: no whole checkpoint of epoch {half}")
        return _value(self._train(self._request(seed, "second", checkpoint=str(saved.path), known_epochs=half)))

    def _request(self, seed: int, part: str, **changes: Any) -> TrialRequest:
        train: dict[str, Any] = {
            "epochs": self.asked.epochs,
            "imgsz": self.asked.imgsz,
            "fraction": self.asked.fraction,
            "batch": 16,
            "optimizer": "AdamW",
            "lr0": 0.01,
            "momentum": 0.9,
            "warmup_epochs": 1.0,
            "close_mosaic": 1,
            "seed": seed,
        }
        values: dict[str, Any] = {
            "study": f"{_STUDY}{self.asked.loader_workers}",
            "number": seed,
            "ordinal": seed,
            "attempt": 1,
            "folder": str(self.folder / f"{seed}-{part}"),
            "model": str(MODEL),
            "data": str(self.data),
            "train": train,
            "objective": Objective(Metric.MAP50),
            "operating_point": None,
        }
        return TrialRequest(**(values | changes))

    def _train(self, request: TrialRequest, give_back: int | None = None) -> Ended:
        process = self.launcher.start(request)
        try:
            while True:
                message = process.receive(SILENCE_S)
                if message is None:
                    raise TimeoutError(f"{request.folder}: no progress for {SILENCE_S:g} s")
                if isinstance(message, EpochReport):
                    process.answer(Answer.GIVE_BACK if message.epoch == give_back else Answer.GO_ON)
                if isinstance(message, Ended):
                    return message
        finally:
            process.kill()


def _value(ended: Ended) -> float:
    if ended.value is None:
        raise RuntimeError(f"a training ended with {ended.reason}: {ended.detail}")
    return ended.value


def _entry(request: str, pipe: Connection, lifeline: Connection) -> None:
    """A trial's process whose loader has the processes that were asked for; on a CPU Ultralytics sets it none."""
    from hpo.training.ultralytics_internals.yolo import TrialRun

    workers = int(TrialRequest.from_json(request).study.removeprefix(_STUDY))
    plain = TrialRun.get_dataloader

    def get_dataloader(run: TrialRun, *given: Any, **named: Any) -> Any:
        run.args.workers = workers
        return plain(run, *given, **named)

    setattr(TrialRun, "get_dataloader", get_dataloader)  # noqa: B010  (a plain assignment would have to fit the type)
    child.main(request, pipe, lifeline)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="data.yaml")
    for name, default in (("pairs", 8), ("epochs", 10), ("imgsz", 96), ("loader-workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training images")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
