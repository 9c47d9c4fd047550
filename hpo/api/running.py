"""``hpo.run``: run a study from Python, as ``hpo run`` does."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from hpo.api import process
from hpo.api.documents import plain
from hpo.api.progress import ProgressView, in_notebook
from hpo.api.searching import SearchPlan, raise_signal, search, signals
from hpo.api.study import Study
from hpo.api.values import Trial
from hpo.api.view import NoWatcher, View
from hpo.errors import HpoError
from hpo.orchestration.stop import StopRequest
from hpo.settings import load_settings
from hpo.trial.vocabulary import TrialState

if TYPE_CHECKING:
    from hpo.study.records import StudyRow, TrialRow
    from hpo.study.status import StatusRow
    from hpo.trial.messages import Ended, EpochReport
    from hpo.trial.ports import Watcher
    from hpo.trial.request import TrialRequest
    from hpo.trial.vocabulary import Reaction
    from hpo.wiring.opening import LocalStudy

log = logging.getLogger(__name__)
OnTrial = Callable[[Trial], object]


def run(  # noqa: PLR0913  (as many arguments as the command has options)
    study: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Mapping[str, Any] | Sequence[str] = (),
    *,
    device: str = "auto",
    workers: int = 1,
    slots_per_gpu: int | None = 1,
    allow_versions: bool = False,
    trust: Sequence[str | os.PathLike[str]] = (),
    wait: bool = True,
    on_trial: OnTrial | None = None,
    progress: bool | None = None,
) -> Study:
    """Run a study until its budget is spent; run it again to go on where it stopped.

    It uses the same database, locks and MLflow as the command ``hpo run``, and reads the same environment variables
    (``HPO_HOME``, ``HPO_STORAGE``, ``MLFLOW_TRACKING_URI``). Afterwards ``os.environ``, signal handlers and log levels
    are as they were. Ctrl-C stops the running trials at their next epoch; twice: at once. They can be resumed, and
    ``KeyboardInterrupt`` is raised after they were given back.

    Args:
        study: A study file, or a mapping with the keys of one; relative paths in a mapping begin at the working folder.
        overrides: Values by key path, such as ``{"budget.trials": 20}``; or ``KEY=VALUE`` texts.
        device: ``auto`` (the first GPU, else the CPU), ``cpu``, or the index of a GPU.
        workers: Worker processes on this machine, from 1, each on the next GPU in turn; this process is one of them.
        slots_per_gpu: Trials at a time on each device, from 1; None for as many as memory allows.
        allow_versions: Train with other versions of Ultralytics, torch or hpo than the study was made with.
        trust: Files of weights that may be unpickled without restriction, which can run any code of their author. A new
            study records them with their content; other machines trust them then.
        wait: Return when the study has ended; False returns once it has begun, and it runs in a thread of its own.
        on_trial: Is called with each trial that has ended in this process, in the thread that ran it. Where it raises,
            the run stops as after Ctrl-C and raises the same error.
        progress: Print how it goes; None prints in a notebook only.

    Returns:
        The study; with ``wait=False`` its ``wait()`` returns when it has ended.

    Raises:
        SpecError: The study is wrong; all problems at once, each with its place.
        UsageError: A device does not exist, or arguments exclude each other.
        StudyConflict: The name is taken by a study with another content, or the study was made with other versions.
        StudyStopped: Someone has stopped the study; call its ``resume()`` first.
        StorageUnavailable: The database can't be reached.
        HpoError: Trial after trial failed before its first epoch; the message says why.
        KeyboardInterrupt: Ctrl-C; what ran was given back.
    """
    given = dict(study) if isinstance(study, Mapping) else Path(study)
    plan = SearchPlan(given, _texts(overrides), device, workers, slots_per_gpu, allow_versions, tuple(map(Path, trust)))
    shown = in_notebook() if progress is None else progress
    begun = StudyRun(plan, ProgressView() if shown else View(), on_trial)
    if wait:
        begun.here()
    else:
        begun.beside()
    return Study(begun.name, begun)


def _texts(overrides: Mapping[str, Any] | Sequence[str]) -> Sequence[str]:
    """``KEY=VALUE``, as the command takes them; JSON is YAML."""
    if not isinstance(overrides, Mapping):
        return overrides
    return [f"{key}={json.dumps(value, default=_plain)}" for key, value in overrides.items()]


def _plain(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else plain(value)


class StudyRun:
    """A study that runs in this process: in the caller's thread, or in one of its own."""

    def __init__(self, plan: SearchPlan, view: View, on_trial: OnTrial | None) -> None:
        """Prepare a run; nothing begins yet.

        Args:
            plan: The study and the devices.
            view: Is told what happens.
            on_trial: Is called at the end of each trial that runs here; None for nothing.
        """
        self.name = ""
        self.stop = StopRequest()
        self._plan = plan
        self._view = _Told(view, on_trial, self)
        self._began = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._forward: Callable[[int], None] = lambda _signum: None

    def here(self) -> None:
        """Run to the end in this thread."""
        self._work()
        self._raise()

    def beside(self) -> None:
        """Begin in a thread; returns once the study is stored, or raises why it can't begin."""
        self._thread = threading.Thread(target=self._work, name="hpo")
        self._thread.start()
        with signals(self.stop, self._pass_on):
            self._began.wait()
        if not self.name:
            self.wait()

    def wait(self) -> None:
        """Return when the run has ended; Ctrl-C meanwhile stops it as a run in the foreground."""
        if self._thread is not None:
            with signals(self.stop, self._pass_on):
                self._thread.join()
        self._raise()

    @property
    def is_alive(self) -> bool:
        """Whether the thread of the run has not ended yet."""
        return self._thread is not None and self._thread.is_alive()

    def interrupt(self) -> None:
        """Ask this process's workers to give their trials back, as Ctrl-C does; asked twice, at once."""
        self.stop.ask(signal.SIGINT)
        self.stop.signal = None  # no signal has come: nothing is raised for it
        self._pass_on(signal.SIGINT)

    def opened(self, name: str) -> None:
        """Hear that the study is stored.

        Args:
            name: The stored name.
        """
        self.name = name
        self._began.set()

    def fail(self, error: BaseException) -> None:
        """Stop the run, and raise an error at its end.

        Args:
            error: What is raised; the first one counts.
        """
        self._error = self._error or error
        self.interrupt()

    def _work(self) -> None:
        try:
            with process.kept(process.home()):
                search(self._plan, load_settings(), self.stop, self._view, self._obey)
        except BaseException as error:  # noqa: BLE001  (raised again in the thread that waits)
            self._error = self._error or error
        finally:
            self._began.set()

    @contextmanager
    def _obey(self, stop: StopRequest, forward: Callable[[int], None]) -> Iterator[None]:
        self._forward = forward
        try:
            with signals(stop, forward):
                yield
        finally:
            self._forward = lambda _signum: None

    def _pass_on(self, signum: int) -> None:
        self._forward(signum)

    def _raise(self) -> None:
        """Whatever ended the run early, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        raise_signal(self.stop)


class _Told(View):
    """The user's view; tells the run that its study is open, and the user of each trial that has ended."""

    def __init__(self, view: View, on_trial: OnTrial | None, run: StudyRun) -> None:
        self._view = view
        self._run = run
        self._on_trial = on_trial
        self._study: LocalStudy | None = None
        self._waiting: list[int] = []

    @override
    def opened(self, study: LocalStudy, known: Sequence[TrialRow]) -> None:
        self._study = study
        self._view.opened(study, known)
        self._run.opened(study.study.name)

    @override
    def workers_started(self, study: LocalStudy, workers: int) -> None:
        self._view.workers_started(study, workers)

    @override
    @contextmanager
    def watcher(self, study: StudyRow, ask: Callable[[], StatusRow]) -> Iterator[Watcher]:
        with self._view.watcher(study, ask) as watcher:
            yield watcher if self._on_trial is None or study.plan else _Telling(watcher, self)
            self.deliver_rest()

    @override
    def nothing_to_confirm(self) -> None:
        self._view.nothing_to_confirm()

    @override
    def confirming(self, stage: LocalStudy, done: int) -> None:
        self._view.confirming(stage, done)

    @override
    def predicting(self, done: int, runs: int) -> None:
        self._view.predicting(done, runs)

    def ended(self, number: int) -> None:
        """Hand a trial to the user; later where the database does not answer now."""
        self._waiting.append(number)
        self.deliver_rest()

    def deliver_rest(self) -> None:
        """Hand over the trials that wait."""
        from hpo.study.studies import snapshot

        study, call = self._study, self._on_trial
        while study is not None and call is not None and self._waiting:
            try:
                trial = Trial.of(snapshot.trial(study.storage, study.study, self._waiting[0]))
            except HpoError as error:
                log.warning("trial %s is not told yet: %s", self._waiting[0], error)
                return
            self._waiting.pop(0)
            try:
                call(trial)
            except Exception as error:  # noqa: BLE001  (raised at the end of the run)
                self._run.fail(error)


class _Telling(NoWatcher):
    """Passes everything on, and tells of each trial that has ended for good."""

    def __init__(self, watcher: Watcher, told: _Told) -> None:
        self._watcher = watcher
        self._told = told

    @override
    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        self._watcher.trial_started(request, resumed_from=resumed_from)

    @override
    def progress(self, number: int, stage: str, epoch: int, fraction: float) -> None:
        self._watcher.progress(number, stage, epoch, fraction)

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        self._watcher.epoch_ended(number, report)

    @override
    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        self._watcher.trial_ended(number, ended, reaction)
        if reaction.state is not TrialState.WAITING:
            self._told.ended(number)

    @override
    def trial_lost(self, number: int) -> None:
        self._watcher.trial_lost(number)
