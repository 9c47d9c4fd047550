"""MLflow as a projection of the database: an experiment per study, a plain run per trial, and a run for the study.

Everything can be written again at any time. A run is found by its key and not made twice. A metric with the database's
own time stamp is dropped if it is there already. An artifact is uploaded if its digest is new.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hpo.settings import Settings
from hpo.study.records import StudyRow, TrialRow
from hpo.tracking import artifacts, client, content, experiment, note, plots, tags, view
from hpo.tracking.artifacts import MANIFEST_TAG, Artifact
from hpo.tracking.content import LEASE_TAG, RunContent
from hpo.tracking.reader import Reader
from hpo.tracking.runs import Run, Runs
from hpo.trial.vocabulary import RunStatus, TrialState

T = TypeVar("T")

log = logging.getLogger(__name__)

DIGEST_TAG = "hpo.projected"
"""Tag that is written last: digest of the run's whole content. A run with this tag is complete."""
_GONE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"}
_RACE = ("UniqueViolation", "UNIQUE constraint failed")
"""Errors of MLflow's store when two workers write the same parameter at the same moment: it accepts one, and refuses
the whole batch of the other.
"""


@dataclass(frozen=True)
class Synced:
    """Result of ``everything``."""

    experiment_id: str
    runs: int
    """Number of trials' runs that MLflow now shows."""
    created: int
    updated: int
    unchanged: int
    duplicates_deleted: int


class Projector:
    """Writer of one study's rows to MLflow. MLflow is imported and contacted by the first call, not before.

    Each method is idempotent and raises StorageUnavailable while MLflow (or the database) does not answer. An instance
    is for one thread; several processes may project the same study.
    """

    def __init__(self, settings: Settings, study: StudyRow, reader: Reader, home: StudyRow | None = None) -> None:
        """``home`` is the study that the experiment belongs to, if ``study`` is its confirmation stage."""
        self._home = home or study
        self._settings = settings
        self._study = study
        self._reader = reader
        self._runs: Runs | None = None
        self._client: Any = None
        self._known: dict[str, Run] = {}

    def trial(self, number: int) -> str:
        """Update the trial's run from the database and return the run's id.

        A trial that waits for its first attempt has no run yet: the result is the empty string. The trial may get
        another owner or its end while it is written (this process may have been stopped for hours). Then it is written
        again, so the run always ends with the database's newest state.
        """
        row = self._reader.trial(number)
        while True:
            run_id = self._trial(row)
            written, row = row, self._reader.trial(number)
            if _standing(row) == _standing(written):
                return run_id

    def study(self) -> str:
        """Update the study's own run and the prepared view, and return the experiment's id."""
        trials, verdict = self._reader.trials(), self._reader.verdict()
        wanted = content.study_content(self._study, trials, verdict)
        run = self._asking(lambda: self._project(lambda: wanted, artifacts.of_study(self._study)))
        if self._home is not self._study:
            return self._asking(lambda: self._connected().experiment_id)
        description = note.text(self._study, trials, verdict)
        return self._asking(lambda: self._write_view(description, plots.important(run.tags)))

    def plots(self) -> None:
        """Draw the plots of the study's own run again if trials have ended since: 10 to 20 s in another process."""
        if not self._study.plan:
            trials = self._reader.trials()
            self._asking(lambda: self._draw(trials))

    def everything(self) -> Synced:
        """Update all runs from the database.

        Missing runs are made, incomplete ones completed, and runs that were left RUNNING ended. If a trial has several
        runs, the oldest stays.
        """
        found = self._asking(lambda: self._connected().all())
        before = {key: runs[0].tags.get(DIGEST_TAG) or None for key, runs in found.items()}
        self._known = self._asking(lambda: {key: self._connected().keep_oldest(runs) for key, runs in found.items()})
        rows = [row for row in self._reader.trials() if self._trial_in_sync(row)]
        experiment_id = self.study()
        keys = [content.run_key(self._study, row.number) for row in rows]
        created = sum(key not in before for key in keys)
        unchanged = sum(key in before and before[key] == self._known[key].tags.get(DIGEST_TAG, "") for key in keys)
        updated, duplicates = len(keys) - created - unchanged, sum(len(runs) - 1 for runs in found.values())
        return Synced(experiment_id, len(keys), created, updated, unchanged, duplicates)

    def begin_again(self) -> None:
        """Leave an experiment whose files lie under another HPO_HOME: the next call makes a new one here."""
        settings = self._settings

        def leave() -> None:
            experiment.begin_again(client.connect(settings.tracking_uri), self._home, settings.artifact_root)

        self._asking(leave)

    def _trial_in_sync(self, row: TrialRow) -> str:
        """Leave an ended trial's run as it is; read any other trial again, since ``row`` may be old by now."""
        return self._trial(row) if row.finished is not None else self.trial(row.number)

    def _trial(self, row: TrialRow) -> str:
        if row.state is TrialState.WAITING and not row.attempts:
            return ""
        files = artifacts.of_trial(row, self._study.spec.plots)

        def read() -> RunContent:
            return content.trial_content(self._study, row, self._reader.epochs(row.number))

        run = self._asking(lambda: self._project(read, files))
        if run.run_id != row.mlflow_run_id:
            self._reader.set_run(row.number, run.run_id)
        return run.run_id

    def _project(self, read: Callable[[], RunContent], files: tuple[Artifact, ...] | None) -> Run:
        runs = self._connected()
        wanted = read()
        run = self._find(wanted)
        if run.holds_other_than(wanted):
            wanted = read()  # read again after the run was seen: another process may have read a newer row
            if run.holds_other_than(wanted):
                runs.delete(run)
                run = self._known[wanted.key] = runs.find_or_create(wanted)
        last = {} if files is None else {MANIFEST_TAG: artifacts.manifest(files)}
        if wanted.status is not RunStatus.RUNNING:
            last[DIGEST_TAG] = wanted.digest()
            if runs.has_status(run, wanted) and last.items() <= run.tags.items():
                return run
        # If this process dies after this call, no digest vouches for what another process wrote.
        runs.write(run, wanted, {DIGEST_TAG: ""})
        if files is not None:
            artifacts.mirror(self._client, run, files, tags.document(run.tags, MANIFEST_TAG, dict))
        runs.set_status(run, wanted)
        runs.set_tags(run, last)
        return run

    def _find(self, wanted: RunContent) -> Run:
        """Return the run known to this process; ask MLflow if the trial has a new attempt, since others may have
        written.
        """
        run = self._known.get(wanted.key)
        if run is None or run.tags.get(LEASE_TAG) != wanted.tags.get(LEASE_TAG):
            run = self._known[wanted.key] = self._connected().find_or_create(wanted)
        return run

    def _write_view(self, description: str, important: tuple[str, ...]) -> str:
        experiment_id = self._connected().experiment_id
        view.write(self._client, experiment_id, self._study.spec, important)
        note.write(self._client, experiment_id, description)
        return experiment_id

    def _draw(self, trials: list[TrialRow]) -> None:
        wanted = content.study_content(self._study, trials, self._reader.verdict())
        self._connected()
        run = self._find(wanted)
        drawn = plots.update(self._client, run.run_id, self._study.spec, trials)
        if drawn:
            run.tags |= drawn
            view.write(self._client, self._connected().experiment_id, self._study.spec, plots.important(drawn))

    def _connected(self) -> Runs:
        if self._runs is None:
            self._client = client.connect(self._settings.tracking_uri)
            experiment_id = experiment.find_or_create(self._client, self._home, self._settings.artifact_root)
            if experiment_id != self._study.mlflow_experiment_id:
                self._reader.set_experiment(experiment_id)
            self._runs = Runs(self._client, experiment_id)
        return self._runs

    def _asking(self, call: Callable[[], T]) -> T:
        """Return the result of ``call``.

        Call again from scratch if the run or the experiment was deleted in MLflow meanwhile, or if another worker wrote
        the same at the same moment.
        """
        with client.reaching(self._settings.tracking_uri):
            from mlflow.exceptions import MlflowException

            try:
                return call()
            except MlflowException as error:
                if error.error_code not in _GONE and not any(sign in str(error) for sign in _RACE):
                    raise
                log.info("tracking.started_anew", extra={"study": self._study.name, "because": str(error)})
            self._runs = None
            self._known.clear()
            return call()


def _standing(row: TrialRow) -> tuple[object, ...]:
    """Return the values that only a trial's owner changes: its owner and its result."""
    token = row.attempts[-1].token if row.attempts else ""
    return row.state, row.reason, row.finished, token, len(row.attempts)
