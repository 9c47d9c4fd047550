"""What ``scale.py`` compares: a worker of ours and Optuna's own loop, each in a process of its own."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hpo.study.database.storage import open_storage
from hpo.study.studies.lifecycle import load
from hpo.trial.vocabulary import Reason
from tests.study.support import study_spec

REPORTS = 10
Samples = dict[str, list[float]]


@dataclass(frozen=True)
class Case:
    url: str
    workers: int
    finished: int
    trials: int
    """To be added to those that are finished, beyond one of each worker before the clock starts."""

    @property
    def before(self) -> int:
        """Finished when the clock starts."""
        return self.finished + self.workers

    @property
    def budget(self) -> int:
        return self.before + self.trials


@contextmanager
def timed(samples: Samples, name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    samples[name].append(time.perf_counter() - start)


def spec(sampler: str, trials: int) -> Any:
    return study_spec(sampler=sampler, pruner="median", trials=trials, lease_s=60.0)


def ours(case: Case, ready: Any, go: Any, results: Any) -> None:
    """A worker as ``hpo worker`` runs one, heartbeat included, but for the training."""
    from hpo.orchestration.heartbeat import heartbeat
    from hpo.study.session.worker_session import WorkerSession
    from tests.study.support import begin, ended, epoch_report, value_of

    samples: Samples = defaultdict(list)
    errors = 0
    with (
        open_storage(case.url, create=False) as storage,
        WorkerSession(storage, load(storage, "digits"), "w", None) as one,
    ):

        def trial() -> bool:
            with timed(samples, "admission"):
                proposal = one.admit()
            if proposal is None:
                return False
            with timed(samples, "begin"):
                begin(one, proposal)
            value = value_of(proposal.params)
            pruned = False
            for epoch in range(1, REPORTS + 1):
                with timed(samples, "report and should-prune"):
                    pruned = one.report(proposal.token, epoch_report(epoch, value * epoch / REPORTS))
                if pruned:
                    break
            with timed(samples, "tell"):
                reason = Reason.PRUNED if pruned else Reason.COMPLETE
                one.end(proposal.token, ended(reason, None if pruned else value, REPORTS))
            return True

        with heartbeat(one.beat, one.beat_every_s):
            trial()
            samples.clear()
            ready.put(1)
            go.wait()
            goes_on = True
            while goes_on:
                try:
                    goes_on = trial()
                except Exception as error:  # noqa: BLE001  (counted)
                    errors += 1
                    print(f"ours: {type(error).__name__}: {error}")
    results.put((errors, dict(samples)))


def optunas(case: Case, ready: Any, go: Any, results: Any) -> None:
    """Optuna's loop as its documentation has it, with the settings that its storage needs."""
    import optuna
    from optuna.trial import TrialState

    from hpo.study.search.pruning import build_pruner
    from hpo.study.search.sampling import build_sampler, suggest
    from hpo.study.studies.lifecycle import load as load_study

    samples: Samples = defaultdict(list)
    with open_storage(case.url, create=False) as storage:
        stored = load_study(storage, "digits").spec
        errors = 0

        def insist(call: Callable[[], Any]) -> Any:
            """Before the clock starts; what fails here would end a user's worker."""
            nonlocal errors
            while True:
                try:
                    return call()
                except Exception as error:  # noqa: BLE001  (counted)
                    errors += 1
                    print(f"optuna, before the clock: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)

        study = insist(
            lambda: optuna.load_study(
                study_name="digits",
                storage=storage.optuna,
                sampler=build_sampler(stored, int(time.time_ns() % 2**31)),
                pruner=build_pruner(stored),
            )
        )

        def objective(trial: optuna.Trial) -> float:
            with timed(samples, "suggest"):
                params = suggest(trial, stored.space)
            value = value_of(params)
            for epoch in range(1, REPORTS + 1):
                with timed(samples, "report"):
                    trial.report(value * epoch / REPORTS, epoch)
                with timed(samples, "should-prune"):
                    if trial.should_prune():
                        raise optuna.TrialPruned
            return value

        from tests.study.support import value_of

        counted = (TrialState.COMPLETE, TrialState.PRUNED)
        limit = optuna.study.MaxTrialsCallback(case.budget, states=counted)
        insist(lambda: study.optimize(objective, n_trials=1))
        samples.clear()
        ready.put(1)
        go.wait()
        try:
            study.optimize(objective, callbacks=[limit])
        except Exception as error:  # noqa: BLE001  (counted)
            errors += 1
            print(f"optuna: {type(error).__name__}: {error}")
    results.put((errors, dict(samples)))
