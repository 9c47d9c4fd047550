"""A stored study on this machine: created from its file, or joined by its name."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import HpoError
from hpo.settings import Settings
from hpo.wiring import machine, model
from hpo.wiring.loading import load
from hpo.wiring.machine import ONE_SLOT, SlotRequest
from hpo.wiring.projecting import checkpoint_store, projector
from hpo.wiring.same_data import refuse_other_data, same_data
from hpo.wiring.warming import warm_start

if TYPE_CHECKING:
    from hpo.dataset.summary import DatasetSummary
    from hpo.evidence.document import VerdictDocument
    from hpo.launchers.local import LocalWorkers
    from hpo.orchestration.patience import Patience
    from hpo.orchestration.stop import StopRequest
    from hpo.orchestration.workspace import Workspace
    from hpo.study.database.storage import Storage
    from hpo.study.records import Facts, StudyRow, TrialRow
    from hpo.study.status import StatusRow
    from hpo.studyfile.loader import Loaded
    from hpo.studyfile.schema import Confirm
    from hpo.trial.ports import Launcher, Watcher

log = logging.getLogger(__name__)
DRAIN_S = 30.0
"""Seconds for MLflow's last writes at a worker's end; ``hpo sync`` writes the rest later."""


@dataclass
class LocalStudy:
    """A stored study on this machine, ready for work."""

    settings: Settings
    storage: Storage
    study: StudyRow
    workspace: Workspace
    launcher: Launcher
    unsynced: int = 0
    """Number of trials that MLflow lacked when the work ended; ``hpo sync`` writes them."""
    leave_idle_s: float | None = None
    """Seconds without a trial after which ``work`` ends; None: it waits until the study is finished."""
    allow_versions: bool = False
    """Whether workers that this one starts may have other versions than the study was made with."""

    def refuse_other_versions(self, *, allow: bool) -> None:
        """Raise StudyConflict if this machine has other versions than the study was made with and they are not allowed.

        To be called before this process trains. What is allowed here is allowed to ``more_workers`` too.
        """
        machine.refuse_other_versions(self.study, allow=allow)
        self.allow_versions = allow

    def known_trials(self) -> list[TrialRow]:
        from hpo.study.studies import snapshot

        return snapshot.trials(self.storage, self.study)

    def status(self) -> StatusRow:
        from hpo.study.studies import snapshot

        return snapshot.status(self.storage, self.study)

    def confirmation(self, wanted: Confirm | None = None) -> LocalStudy:
        """Return the stage after this search on the same machine; see ``hpo.confirmation.stage.begin``."""
        from hpo.confirmation import stage

        study = stage.begin(self.storage, self.study, wanted)
        workspace = replace(self.workspace, folder=self.settings.study_folder(study.name), baseline=None)
        return replace(self, study=study, workspace=workspace, unsynced=0)

    def verdict(self, by: str, progress: Callable[[int, int], None]) -> VerdictDocument:
        """Return the verdict of this finished stage; the first call computes it."""
        from hpo.confirmation.verdict import MeasurementSetup, reach
        from hpo.study.studies import verdicts
        from hpo.training import environment

        known = verdicts.stored(self.storage, self.study)
        if known is not None:
            return known
        source = self.workspace.data
        same_data(self.study, source, self.settings, "with --data")  # all runs are measured on what they were made for
        os.environ.update(environment.kernel_cache(self.settings.home))
        measuring = MeasurementSetup(self.settings, self.workspace.data, self.workspace.devices[0], by, progress)
        told = reach(self.storage, self.study, measuring)
        self._show_verdict()
        return told

    def _show_verdict(self) -> None:
        """Write the verdict to MLflow; where that fails, ``hpo sync`` writes it later."""
        from hpo.study.studies import lifecycle

        try:
            projector(self.settings, self.storage, self.study).study()
            search = lifecycle.load(self.storage, self.study.searched_name)
            projector(self.settings, self.storage, search).study()  # its description contains the verdict too
        except HpoError as error:  # the verdict is reached and stored, whatever MLflow says
            log.warning("MLflow lacks the verdict for now, `hpo sync` brings it: %s", error)
            self.unsynced += 1

    @property
    def logs(self) -> Path:
        """Return the log folder of further workers on this machine."""
        return self.workspace.folder / "workers"

    def more_workers(self, count: int, device: str, slots: int) -> LocalWorkers:
        """Return ``count`` further workers on this machine, with ``slots`` each; the GPUs after the first are used in
        turn.
        """
        from hpo.launchers.local import LocalWorkers

        gpus = [device]
        if count and device == "auto":
            gpus = machine.gpus(self.settings) or ["cpu"]
        others = [gpus[number % len(gpus)] for number in range(1, count + 1)]
        options = ["--slots-per-gpu", str(slots), *(["--allow-versions"] if self.allow_versions else [])]
        return LocalWorkers(self.study.name, others, options, self.logs)

    def work(self, watcher: Watcher, stop: StopRequest) -> None:
        """Work on this study until it is finished or a stop is requested."""
        from hpo.orchestration.patience import Patience
        from hpo.orchestration.worker import Services, Worker
        from hpo.study.session.registry import Life
        from hpo.study.session.worker_session import WorkerSession
        from hpo.study.studies import controls
        from hpo.tracking.thread import ProjectionThread

        controls.refuse_if_stopped(self.storage, self.study)
        life = Life(f"{platform.node()}:{os.getpid()}", self.workspace.devices)
        recovery = self.study.spec.recovery
        session = Patience(recovery.patience_s, recovery.grace_s, stop).begin(
            lambda: WorkerSession(self.storage, self.study, life, self.workspace.baseline)
        )
        mirror = ProjectionThread(projector(self.settings, self.storage, self.study))
        try:
            store = checkpoint_store(self.settings, self.study)
            services = Services(session, self.launcher, mirror, watcher, self.storage, store)
            Worker(self.study, self.workspace, services, stop, self.leave_idle_s).run()
        finally:
            session.close()
            self.unsynced = mirror.close(DRAIN_S)


@contextmanager
def opened(
    given: Path | Mapping[str, Any],
    overrides: Sequence[str],
    settings: Settings,
    slot_request: SlotRequest = ONE_SLOT,
    trust: Sequence[Path] = (),
    decoding: Callable[[], AbstractContextManager[Callable[[int, int], None]]] = lambda: nullcontext(lambda *_: None),
) -> Iterator[LocalStudy]:
    """Check a study (its file or its mapping) against its data and model; then store it, or join the stored one.

    ``trust`` names files of weights that may be unpickled without restriction, here and wherever the study is trained.
    ``decoding`` is entered while images are decoded, and is told of the images done, and all.
    """
    from hpo.dataset import manifest
    from hpo.dataset.description import look_at

    asked = load(given, overrides, settings)
    with decoding() as show:
        look = look_at(Path(asked.spec.data), settings.cache, decode=True, progress=show)
    dataset = look.summary
    loaded = asked.resolved(dataset)
    spec = loaded.spec
    launcher = machine.launcher(settings)  # its imports take seconds and run beside ours
    from hpo.study.database.storage import open_storage
    from hpo.study.records import Identity
    from hpo.study.studies import lifecycle, places

    trusted = model.trusted(trust)
    found = model.look_at(launcher, loaded, settings, trusted.values())
    loaded.check_facts(dataset, found.facts)
    with open_storage(settings.storage_url, create=True, lease_s=spec.recovery.lease_s, home=settings.home) as storage:
        identity = Identity(dataset.fingerprint, found.sha256)
        stored = _facts(asked, loaded, dataset, found, trusted)
        before = lifecycle.find(storage, spec.name)
        if before is not None:
            refuse_other_data(before, look, settings)
        elif spec.warm_start:
            stored = replace(stored, warm=warm_start(storage, spec, identity))
        # an older version stored what its file said, and left the optimizer to each trial
        same_kind = asked.spec if before is not None and before.facts.said is None else spec
        study = lifecycle.create_or_join(storage, same_kind, identity, stored)
        places.remember(settings.home, study.name, "data", Path(spec.data))
        manifest.remember(settings.study_folder(study.name), look)
        if Path(found.path).is_absolute():
            places.remember(settings.home, study.name, "model", Path(found.path))
        if found.yaml is None:
            model.share_weights(settings, storage, study, Path(found.path))
        workspace = _workspace(study, found.path, Path(spec.data), settings, slot_request)
        workspace = replace(workspace, train_files=model.remember_files(settings, study, spec))
        yield _local(storage, study, workspace, launcher, settings, slot_request)


def _facts(
    asked: Loaded, loaded: Loaded, dataset: DatasetSummary, found: model.Model, trusted: dict[str, str]
) -> Facts:
    """Return what is stored beside a new study's specification; ``asked`` is the study as its file has it."""
    from hpo.study.records import Facts
    from hpo.studyfile.planning.baseline import trial_0

    return Facts(
        found.yaml,
        asdict(dataset),
        machine.versions(),
        train_files=model.train_files(loaded.spec),
        trusted=trusted,
        baseline=trial_0(asked.spec, nc=dataset.nc, train_images=dataset.splits["train"].images),
        said=list(loaded.said),
    )


@contextmanager
def joined(
    name: str,
    data: Path | None,
    settings: Settings,
    slot_request: SlotRequest,
    patience: Patience | None = None,
    *,
    allow_versions: bool = False,
) -> Iterator[LocalStudy]:
    """Join a stored study, to train on a machine that has only its data.

    ``data`` is the data.yaml if it is at no place that is known; it is remembered. With ``patience`` it waits for the
    database; None: it raises StorageUnavailable at once. Raises StudyConflict if the data or the model differs, or the
    versions of packages where they are not allowed to.
    """
    from hpo.orchestration.patience import Patience
    from hpo.orchestration.stop import StopRequest
    from hpo.study.database.disks import refuse_network_disk
    from hpo.study.database.storage import open_storage
    from hpo.study.studies import places

    refuse_network_disk(settings.storage_url)
    begin = (patience or Patience(0.0, 0.0, StopRequest())).begin
    launcher = machine.launcher(settings)
    study, source = begin(lambda: _stored(name, data, settings))
    machine.refuse_other_versions(study, allow=allow_versions)
    same_data(study, source, settings, "on this machine with --data")
    places.remember(settings.home, study.searched_name, "data", source)
    train_files = model.train_files_here(study, settings)
    workspace = _workspace(study, model.here(launcher, study, settings), source, settings, slot_request)
    workspace = replace(workspace, train_files=train_files)
    lease_s = study.spec.recovery.lease_s
    home = settings.home
    with begin(lambda: open_storage(settings.storage_url, create=False, lease_s=lease_s, home=home)) as storage:
        yield _local(storage, study, workspace, launcher, settings, slot_request)


def _stored(name: str, data: Path | None, settings: Settings) -> tuple[StudyRow, Path]:
    """Return the study and the place of its data here. Raises ``StudyStopped`` if a person has stopped it."""
    from hpo.study.database.storage import open_storage
    from hpo.study.studies import controls, lifecycle, places

    with open_storage(settings.storage_url, create=False, home=settings.home) as storage:
        study = lifecycle.load(storage, name)
        controls.refuse_if_stopped(storage, study)
        return study, places.data(storage, study, data)


def _workspace(study: StudyRow, model: str, source: Path, settings: Settings, slot_request: SlotRequest) -> Workspace:
    from hpo.dataset.description import write_resolved
    from hpo.orchestration.workspace import Workspace
    from hpo.study.studies import baselines

    folder = settings.study_folder(study.name)
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data.yaml"
    write_resolved(source, data)
    devices = machine.slots(settings, slot_request)
    baseline = baselines.of(study) if study.spec.baseline else None
    return Workspace(folder, model, data, baseline, devices, settings.cache / "predictions", settings.cache)


def _local(
    storage: Storage, study: StudyRow, workspace: Workspace, launcher: Launcher, settings: Settings, slots: SlotRequest
) -> LocalStudy:
    """Return the study; if memory decides the number of slots, with the memory that is free now."""
    if slots.each is None:
        workspace = replace(workspace, memory=machine.memory_admission(settings, storage, study, workspace.devices))
    return LocalStudy(settings, storage, study, workspace, launcher)
