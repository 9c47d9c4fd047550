"""Run a study to its end on this machine: the search, then its confirmation and the verdict."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.api import process
from hpo.errors import HpoError, UsageError
from hpo.orchestration.stop import StopRequest, on_signals

if TYPE_CHECKING:
    from hpo.api.view import View
    from hpo.confirmation.record import Stage
    from hpo.settings import Settings
    from hpo.study.status import StatusRow

Obey = Callable[[StopRequest, Callable[[int], None]], AbstractContextManager[object]]
"""Makes a stop request follow something (signals) for a while; the second argument passes a signal number on."""


@dataclass(frozen=True)
class SearchPlan:
    """Which study is run, and on what."""

    study: Path | Mapping[str, Any]
    """A study file, or what would stand in one."""
    overrides: Sequence[str] = ()
    """``KEY=VALUE``, as on the command line."""
    device: str = "auto"
    """``auto`` (the first GPU, else the CPU), ``cpu``, or the index of a GPU."""
    workers: int = 1
    """Worker processes on this machine, from 1; each on the next GPU in turn."""
    slots: int | None = 1
    """Trials at a time on each device, from 1; None: as many as memory allows."""
    allow_versions: bool = False
    """Whether to train with other versions of packages than the study was made with."""
    trust: Sequence[Path] = ()
    """Files of weights that may be unpickled without restriction."""


@dataclass(frozen=True)
class Outcome:
    """Where the study stands after the work."""

    status: StatusRow
    confirmation: Stage | None
    """Where one has begun."""
    unsynced: int
    """Runs that MLflow has not taken yet; a sync brings them."""
    at_bounds: tuple[str, ...] = ()
    """A line for each value of the best trial that lies at a bound of its range."""


def search(plan: SearchPlan, settings: Settings, stop: StopRequest, view: View, obey: Obey) -> Outcome:
    """Work on a study until its budget is spent or a stop is asked for.

    Args:
        plan: The study and the devices.
        settings: Where it is stored.
        stop: Ends the work early.
        view: Is told what happens.
        obey: What ``stop`` follows while trials run.

    Returns:
        Where the study stands then.

    Raises:
        SpecError: The study file is wrong; all problems at once.
        StudyConflict: The study is stored with another content, or was made with other versions of packages.
        StudyStopped: Someone has stopped it; resume it first.
        StorageUnavailable: The database stays away.
    """
    from hpo.api import stages
    from hpo.confirmation import record
    from hpo.study.studies.at_bounds import at_bounds
    from hpo.wiring.machine import SlotRequest
    from hpo.wiring.opening import opened

    if plan.workers > 1 and plan.slots is None:
        raise UsageError(
            "--slots-per-gpu auto: each of several workers would take all memory for its own: leave --workers out, or "
            "use one worker for all GPUs: hpo worker STUDY --gpus all --slots-per-gpu auto"
        )
    slots = SlotRequest(plan.device, plan.slots)
    with opened(plan.study, plan.overrides, settings, slots, plan.trust, view.decoding) as local:
        local.refuse_other_versions(allow=plan.allow_versions)
        view.opened(local, local.known_trials())
        with local.more_workers(plan.workers - 1, plan.device, plan.slots or 1) as others:
            view.workers_started(local, plan.workers)
            with obey(stop, others.forward):
                stages.work(local, stop, view)
                stage = stages.go_on(local, stop, view)
        if stage is not None and not stop.soon:
            stages.verdict(stage, view)
        unsynced = local.unsynced + (0 if stage is None else stage.unsynced)
        status = local.status()
        bounds = () if status.best is None else at_bounds(local.study.spec, status.best)
        return Outcome(status, record.stage_of(local.storage, local.study), unsynced, bounds)


def raise_signal(stop: StopRequest) -> None:
    """Hand the signal that ended the work on to whoever called, once: Ctrl-C as KeyboardInterrupt.

    Args:
        stop: Knows the signal; without one nothing happens.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the work.
    """
    signum, stop.signal = stop.signal, None
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    if signum is not None:
        signal.raise_signal(signum)


@contextmanager
def signals(stop: StopRequest, forward: Callable[[int], None]) -> Iterator[None]:
    """Make a stop request follow Ctrl-C and SIGTERM while a block runs.

    In another thread than the main one Python allows no handlers: nothing is followed there.

    Args:
        stop: Is asked at each signal.
        forward: Told each signal's number too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with on_signals(stop, forward):
        yield


@contextmanager
def stoppable() -> Iterator[StopRequest]:
    """Make the stop request of a call that trains.

    Yields:
        The stop request, which Ctrl-C sets.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; all trials were given back before.
    """
    stop = StopRequest()
    with process.kept(process.home()):
        try:
            yield stop
        except HpoError:
            if stop.signal is None:
                raise
    raise_signal(stop)
