"""What the rights of a worker's role cost: admissions, epochs and ends with and without the checks of each row.

    PYTHONPATH=. python benchmarks/guards.py [--trials 40] [--epochs 5]

One worker's role on one server, with two databases that differ in the triggers alone. Their trials alternate, one and
one; nothing is trained. Printed: the median of each call in ms, with the checks and without, and the ratio.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import create_engine, make_url, text

from hpo.head.postgres import OWNER, Cluster, Listening
from hpo.study.database.roles import Role, RoleKind
from hpo.study.database.storage import open_storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle, setup
from tests.head.conftest import free_port
from tests.study.support import FACTS, IDENTITY, begin, ended, epoch_report, study_spec

PASSWORD = "benchmark"  # noqa: S105  of a server that only this machine reaches, for a minute
GUARDED = [
    *("hpo_studies", "hpo_claims", "hpo_trials", "hpo_attempts", "hpo_epochs", "trials", "trial_values"),
    *("trial_intermediate_values", "trial_user_attributes", "trial_system_attributes", "study_user_attributes"),
]
Times = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="guards-") as place:
        folder, port = Path(place), free_port()
        folder.chmod(0o755)
        cluster = Cluster(folder / "data", folder / "log")
        cluster.make(PASSWORD)
        with cluster.serving(Listening("127.0.0.1", port)):
            _compare(port, folder, options.trials, options.epochs)


def _compare(port: int, home: Path, trials: int, epochs: int) -> None:
    times: dict[str, Times] = {"without": defaultdict(list), "with": defaultdict(list)}
    sessions: dict[str, WorkerSession] = {}
    for name in times:
        database = f"guards_{name}"
        owner = f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{port}"
        setup.ensure_database(f"{owner}/postgres", database, OWNER)
        setup.init(f"{owner}/{database}", [Role(RoleKind.WORKER, "w", PASSWORD)])
        if name == "without":
            _remove(f"{owner}/{database}")
        storage = open_storage(f"postgresql://w:{PASSWORD}@127.0.0.1:{port}/{database}", create=False, home=home)
        spec = study_spec(trials=trials + 1, sampler="tpe", pruner="median")
        study = lifecycle.create_or_join(storage, spec, IDENTITY, FACTS)
        sessions[name] = WorkerSession(storage, study, name, None)
    for number in range(trials + 1):
        for name in sorted(times, reverse=bool(number % 2)):
            _trial(sessions[name], epochs, times[name] if number else defaultdict(list))
    for call in times["with"]:
        known = {name: 1000 * median(taken[call]) for name, taken in times.items()}
        ratio = known["with"] / known["without"]
        print(f"{call:8} with {known['with']:6.2f} ms  without {known['without']:6.2f} ms  ratio {ratio:.2f}")


def _trial(session: WorkerSession, epochs: int, times: Times) -> None:
    def timed(call: str, action: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        value = action()
        times[call].append(time.perf_counter() - start)
        return value

    proposal = timed("admit", session.admit)
    timed("begin", lambda: begin(session, proposal))
    for epoch in range(1, epochs + 1):
        timed("report", partial(session.report, proposal.token, epoch_report(epoch, 0.5)))
    timed("beat", session.beat)
    timed("end", lambda: session.end(proposal.token, ended(value=proposal.number / 1000)))


def _remove(url: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        for table in GUARDED:
            connection.execute(text(f"DROP TRIGGER hpo_guard ON {table}"))
    engine.dispose()


if __name__ == "__main__":
    main()
