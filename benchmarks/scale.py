"""How many trials a second a study takes from many workers, against Optuna's own loop on the same database.

``PYTHONPATH=. python benchmarks/scale.py [--workers 1 4 16 32] [--finished 0 1000 5000] [--databases postgres sqlite]``

Each trial: an admission, ten reports with the pruner's word after each, an end; nothing is trained. Ours and Optuna's
(``study.optimize`` with ``MaxTrialsCallback``) alternate, each on a copy of the same database. Before the clock starts
every worker has made one trial: what a process does once, such as loading the history, is no trial's cost. Printed:
trials a second, median and 99th percentile in ms of each call, overshoot, errors, and the exponents with which a
trial's cost grows with the number of finished trials.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from sqlalchemy import make_url, select

from benchmarks.contestants import REPORTS, Case, Samples, optunas, ours, spec
from hpo.study.database.storage import open_storage
from hpo.study.studies.lifecycle import create_or_join, load
from tests.study.filling import fill
from tests.study.support import FACTS, IDENTITY


@dataclass
class Outcome:
    """What all workers of one run did."""

    trials: int = 0
    seconds: float = 0.0
    overshoot: int = 0
    errors: int = 0
    samples: Samples = field(default_factory=lambda: defaultdict(list))

    @property
    def rate(self) -> float:
        return self.trials / self.seconds


def run(case: Case, worker: Callable[..., None]) -> Outcome:
    context = multiprocessing.get_context("spawn")
    ready, results, go = context.Queue(), context.Queue(), context.Event()
    processes = [context.Process(target=worker, args=(case, ready, go, results)) for _ in range(case.workers)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.get(timeout=600)
    outcome, start = Outcome(), time.perf_counter()
    go.set()
    for _ in processes:
        errors, samples = results.get(timeout=600)
        outcome.errors += errors
        for name, values in samples.items():
            outcome.samples[name] += values
    outcome.seconds = time.perf_counter() - start
    for process in processes:
        process.join()
    counted = _counted(case.url)
    outcome.trials = counted - case.before
    outcome.overshoot = outcome.trials - case.trials
    return outcome


def _counted(url: str) -> int:
    from hpo.study.database import optuna_tables

    with open_storage(url, create=False) as storage:
        states = select(optuna_tables.state)
        found = storage.read(lambda connection: list(connection.scalars(states)))
    return sum(state in ("COMPLETE", "PRUNED") for state in found)


@dataclass
class Database:
    """Copies of databases that hold so many finished trials."""

    server: str | None
    folder: Path
    templates: dict[int, str] = field(default_factory=dict)

    def template(self, finished: int, sampler: str) -> str:
        if finished not in self.templates:
            url = self._new("template0", f"template-{finished}.db")
            with open_storage(url, create=True) as storage:
                study = create_or_join(storage, spec(sampler, 10**6), IDENTITY, FACTS)
                fill(storage, study, finished, REPORTS)
            self.templates[finished] = url
        return self.templates[finished]

    def copy(self, finished: int, sampler: str, budget: int) -> str:
        source = make_url(self.template(finished, sampler)).database
        assert source is not None
        if self.server is None:
            shutil.copy(source, self.folder / "run.db")
            url = f"sqlite:///{self.folder / 'run.db'}"
        else:
            url = self._new(source, "")
        with open_storage(url, create=False) as storage:
            from hpo.study.studies.controls import set_budget

            set_budget(storage, load(storage, "digits"), "benchmark", trials=budget, hours=None)
        return url

    def drop(self, url: str) -> None:
        if self.server is None:
            for file in self.folder.glob("run.db*"):
                file.unlink()
            return
        from tests import postgres

        postgres.drop_database(self.server, url)

    def _new(self, template: str, file: str) -> str:
        if self.server is None:
            return f"sqlite:///{self.folder / file}"
        from tests import postgres

        return postgres.create_database(self.server, template)


def show(name: str, case: tuple[int, int], outcome: Outcome) -> None:
    workers, finished = case
    print(
        f"{name:8} {workers:3} workers {finished:5} finished: {outcome.rate:7.1f} trials/s, "
        f"{1000 * outcome.seconds / outcome.trials:7.1f} ms a trial, overshoot {outcome.overshoot}, "
        f"errors {outcome.errors}"
    )
    for call, values in outcome.samples.items():
        ordered = sorted(values)
        last = ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)]
        print(f"           {call:24} p50 {1000 * median(ordered):7.1f} ms  p99 {1000 * last:7.1f} ms")


def measure(database: Database, given: argparse.Namespace, workers: int) -> None:
    costs: dict[str, dict[int, float]] = defaultdict(dict)
    for finished in given.finished:
        rates: dict[str, float] = {}
        for name, worker in (("ours", ours), ("optuna", optunas)):
            found = []
            for _ in range(given.repeats):
                url = database.copy(finished, given.sampler, finished + workers + given.trials)
                case = Case(url, workers, finished, given.trials)
                found.append(run(case, worker))
                database.drop(url)
            middle = sorted(found, key=lambda outcome: outcome.rate)[len(found) // 2]
            show(name, (workers, finished), middle)
            rates[name] = middle.rate
            costs[name][finished] = middle.seconds / middle.trials
        ratio = rates["ours"] / rates["optuna"]
        print(f"         ours / Optuna's: {ratio:.2f} times the trials a second, {1 / ratio:.2f} of a trial's cost")
    for name, by_size in costs.items():
        sizes = [size for size in by_size if size]
        if len(sizes) > 1:
            low, high = sizes[0], sizes[-1]
            exponent = math.log(by_size[high] / by_size[low]) / math.log(high / low)
            print(f"{name:8} grows with the number of finished trials to the power {exponent:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16, 32])
    parser.add_argument("--finished", type=int, nargs="+", default=[0, 1000, 5000])
    parser.add_argument("--databases", nargs="+", choices=["postgres", "sqlite"], default=["postgres", "sqlite"])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--sampler", default="tpe")
    given = parser.parse_args()
    for name in given.databases:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = None
            if name == "postgres":
                from tests.postgres import server_url

                server = stack.enter_context(server_url())
            database = Database(server, folder)
            print(f"--- {name}, {given.sampler}, {given.trials} trials")
            for workers in given.workers:
                measure(database, given, workers)


if __name__ == "__main__":
    main()
