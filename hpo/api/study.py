"""``hpo.load``, and the study that ``hpo.run`` and ``hpo.load`` return."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from hpo.api import changing, confirming, process, promoting, reading
from hpo.api.documents import plain, trial_json
from hpo.api.finding import stored_study
from hpo.api.searching import signals, stoppable
from hpo.api.values import Best, Status
from hpo.api.view import View
from hpo.errors import HpoError, UsageError
from hpo.settings import load_settings

if TYPE_CHECKING:
    import pandas


def load(study: str | os.PathLike[str] | None = None) -> Study:
    """Find a stored study.

    Args:
        study: Its name or its file; None where the database holds one study.

    Returns:
        The study. It holds no connection: each call opens the database anew.

    Raises:
        UsageError: There is no such study, or no database yet.
        StorageUnavailable: The database can't be reached.
    """
    with stored_study(None if study is None else os.fspath(study)) as (_, _, row):
        return Study(row.name)


class Study:
    """A stored study: what came out so far, and what can be done with it.

    Every property and method reads the database anew, so it may be used while the study runs, here or elsewhere. Each
    raises ``StorageUnavailable`` while the database can't be reached.
    """

    def __init__(self, name: str, run: process.Running | None = None) -> None:
        """Name a stored study; use ``hpo.load`` or ``hpo.run`` instead.

        Args:
            name: The stored name.
            run: The run of the study in this process, if there is one.
        """
        self.name = name
        """The study's name in the database."""
        self._run = run

    @override
    def __repr__(self) -> str:
        """Return how it is loaded again."""
        return f"hpo.load({self.name!r})"

    @property
    def trials(self) -> pandas.DataFrame:
        """The trials of the search, one a row, as ``hpo trials --json`` lists them (columns are its keys)."""
        import pandas

        from hpo.study.studies import snapshot

        with stored_study(self.name) as (_, storage, row):
            rows = snapshot.trials(storage, row)
        return pandas.DataFrame(json.loads(json.dumps([trial_json(row) for row in rows], default=plain)))

    @property
    def best(self) -> Best:
        """The best trial so far.

        Raises:
            UsageError: No trial is complete yet.
        """
        with stored_study(self.name) as (_, storage, row):
            return Best.of(reading.best(storage, row))

    @property
    def status(self) -> Status:
        """Where the study stands."""
        from hpo.confirmation import record
        from hpo.study.studies import snapshot

        with stored_study(self.name) as (_, storage, row):
            return Status.of(snapshot.status(storage, row), record.stage_of(storage, row))

    def save(self, folder: str | os.PathLike[str], *, data: str | os.PathLike[str] | None = None) -> Best:
        """Write the best trial's weights, and YAML files that Ultralytics reads as they are.

        Args:
            folder: Is made where it is missing.
            data: The study's data.yaml, where it lies elsewhere on this machine; the files name it.

        Returns:
            The best trial, with the paths of its files.

        Raises:
            UsageError: No trial is complete yet.
            HpoError: Its weights are not on this machine.
        """
        with stored_study(self.name) as (_, storage, row):
            place = None if data is None else Path(data)
            return Best.of(reading.best(storage, row, Path(folder), data=place))

    def wait(self) -> Study:
        """Wait for the end of a run that ``hpo.run(..., wait=False)`` has begun; returns at once where there is none.

        Returns:
            The study itself.

        Raises:
            HpoError: Whatever ended the run early.
            KeyboardInterrupt: Ctrl-C; what ran was given back.
        """
        if self._run is not None:
            self._run.wait()
        return self

    @property
    def running(self) -> bool:
        """Whether a run that ``wait=False`` has begun in this process goes on."""
        return self._run is not None and self._run.is_alive

    def interrupt(self) -> None:
        """Stop the run in this process as Ctrl-C does: trials are given back at their next epoch; twice: at once.

        Workers elsewhere go on. Does nothing where no run of this process goes on.
        """
        if self._run is not None and self._run.is_alive:
            self._run.interrupt()

    def pause(self) -> None:
        """Start no new trial until ``resume()``, on any machine. Running ones go on to their end; workers wait."""
        self._set("pause")

    def stop(self) -> None:
        """Start no new trial, on any machine; runs and workers end when what they train has ended."""
        self._set("stop")

    def cancel(self) -> None:
        """End running trials at their next epoch, on any machine; they wait for ``resume()`` and another run."""
        self._set("cancel")

    def resume(self) -> None:
        """Let a paused, stopped or cancelled study go on. Runs that have ended are started with ``hpo.run``."""
        self._set("run")

    def _set(self, control: changing.Order) -> None:
        with stored_study(self.name) as (_, storage, row):
            changing.set_control(storage, row, control)

    def confirm(
        self,
        *,
        top: int | None = None,
        seeds: int | None = None,
        data: str | os.PathLike[str] | None = None,
        gpus: str = "all",
    ) -> dict[str, Any]:
        """Train the best trials and the baseline again, with fresh seeds, and say whether the winner beats them.

        Call it again to go on after a stop; once it is finished it trains nothing more.

        Args:
            top: So many of the best trials, from 1; None for the study file's number, or 3.
            seeds: Trainings of each, from 2; None for the study file's number, or 3.
            data: The study's data.yaml, where it lies elsewhere on this machine.
            gpus: ``all`` (the CPU where there is none), ``cpu``, or indices as ``0,1``.

        Returns:
            The verdict, with the fields of ``hpo confirm --json``.

        Raises:
            UsageError: The search is not finished, or a number is too small.
            StudyConflict: A confirmation with other numbers has begun, or the data is another one.
            KeyboardInterrupt: Ctrl-C; what ran was given back.
        """
        if (top is not None and top < 1) or (seeds is not None and seeds < 2):
            raise UsageError(f"confirm: top must be at least 1 and seeds at least 2, not {top} and {seeds}")
        plan = confirming.ConfirmPlan(self.name, top, seeds, None if data is None else Path(data), gpus)
        with stoppable() as stop:
            told = confirming.confirm(plan, load_settings(), stop, View(), signals)
        if told is None:
            raise HpoError(f"study {self.name!r}: its confirmation was stopped; the same call goes on")
        return told.to_dict()

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        form: Literal["html", "md"] | None = None,
        data: str | os.PathLike[str] | None = None,
    ) -> Path:
        """Write a report on the study into one file, to send to a colleague.

        Args:
            path: The file; its ending (.html or .md) says what it is.
            form: Where the ending does not say it.
            data: The study's data.yaml, where it lies elsewhere on this machine.

        Returns:
            ``path``.

        Raises:
            UsageError: Neither the ending nor ``form`` says what to write.
        """
        output = Path(path)
        chosen = form or reading.FORMATS.get(output.suffix.lower())
        if chosen is None:
            raise UsageError(f"{output}: ends neither in .html nor in .md; say which with form='html'")
        with stored_study(self.name) as (_, storage, row):
            reading.write_report(storage, row, output, chosen, data=None if data is None else Path(data))
        return output

    def promote(  # noqa: PLR0913  (as many arguments as the command has options)
        self,
        folder: str | os.PathLike[str],
        *,
        trial: int | None = None,
        with_val: bool = False,
        exports: Sequence[str] = (),
        register: str | Literal[False] | None = None,
        data: str | os.PathLike[str] | None = None,
        device: str = "auto",
    ) -> dict[str, Any]:
        """Train the winner for the last time and write a folder to hand over: weights, settings, model card.

        Args:
            folder: A new folder; it appears when it is complete.
            trial: This trial instead of the winner (the confirmed one; without a confirmation the best).
            with_val: Train on train and val; the last epoch counts.
            exports: Further formats, each checked against the weights: ``onnx``, ``openvino``, ``engine``.
            register: Name of the model in MLflow's registry; None for the study's, False for none.
            data: The study's data.yaml, where it lies elsewhere on this machine.
            device: ``auto``, ``cpu``, or the index of a GPU.

        Returns:
            The fields of ``hpo promote --json``.

        Raises:
            UsageError: No trial can be promoted, the folder is occupied, or an export needs a missing package.
            StudyConflict: The data or the model is another one.
            StorageUnavailable: The folder is complete, but could not be registered; ``sync()`` does it later.
            KeyboardInterrupt: Ctrl-C; the same call goes on.
        """
        name = None if register is False else register or self.name
        place = None if data is None else Path(data)
        plan = promoting.PromotePlan(Path(folder), trial, with_val, tuple(exports), name, place, device)
        with stoppable() as stop, stored_study(self.name) as (settings, storage, row):
            done = promoting.Promoting(settings, storage, row, stop, promoting.PromotionView(), signals).run(plan)
        if done.outage is not None:
            raise done.outage
        return done.to_dict()

    def accept_data(self, data: str | os.PathLike[str] | None = None) -> str | None:
        """Let the study go on with its data as it is now; its record, verdict and model card say so.

        Args:
            data: The study's data.yaml, where it lies elsewhere on this machine.

        Returns:
            What has changed; None where the data is the study's own.

        Raises:
            UsageError: The data has other classes.
            StudyBusy: Workers are on the study.
            StudyConflict: Its confirmation has begun and has no verdict yet.
        """
        with stored_study(self.name) as (settings, storage, row):
            return changing.accept_data(settings, storage, row, None if data is None else Path(data))

    def sync(self) -> dict[str, Any]:
        """Bring MLflow in line with the database; needed only after MLflow was away.

        Returns:
            The fields of ``hpo sync --json``.

        Raises:
            StorageUnavailable: MLflow or the database does not answer.
        """
        with process.kept(process.home()), stored_study(self.name) as (settings, storage, row):
            return changing.sync(settings, storage, row).to_dict()
