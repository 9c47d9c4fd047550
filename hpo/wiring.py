"""The composition root: which parts work together. Heavy libraries load here, late."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo import __version__
from hpo.errors import HpoError, SpecError, StudyConflict, UsageError
from hpo.settings import Settings

if TYPE_CHECKING:
    from hpo.dataset.summary import DatasetSummary
    from hpo.detection.predictions import Predictions
    from hpo.launchers.forkserver import ForkserverLauncher
    from hpo.launchers.local import LocalWorkers
    from hpo.orchestration.room import Room
    from hpo.orchestration.stop import StopRequest
    from hpo.orchestration.worker import Site
    from hpo.spec.loader import Loaded
    from hpo.spec.plan import BaselinePlan
    from hpo.spec.rules import ModelFacts
    from hpo.spec.schema import Confirm, StudySpec
    from hpo.study.records import StatusRow, StudyRow, TrialRow
    from hpo.study.storage import Storage
    from hpo.tracking.checkpoints import MlflowStore
    from hpo.tracking.projection import Projector
    from hpo.trial.objective import Objective
    from hpo.trial.operating_point import SweepPlan, SweepResult
    from hpo.trial.ports import Launcher, Watcher

PROBE_TIMEOUT_S = 600.0
"""Weights may have to be downloaded."""
DRAIN_S = 30.0


@dataclass
class Opened:
    """A stored study on this machine, ready to be worked on."""

    settings: Settings
    storage: Storage
    study: StudyRow
    site: Site
    launcher: Launcher
    unsynced: int = 0
    """Trials that MLflow had not taken when the work ended; ``hpo sync`` brings them."""

    def known_trials(self) -> list[TrialRow]:
        from hpo.study import snapshot

        return snapshot.trials(self.storage, self.study)

    def status(self) -> StatusRow:
        from hpo.study import snapshot

        return snapshot.status(self.storage, self.study)

    def confirmation(self, wanted: Confirm | None = None) -> Opened:
        """The stage after this search on the same machine; see ``hpo.confirmation.stage.begin``."""
        from hpo.confirmation import stage

        study = stage.begin(self.storage, self.study, wanted)
        site = replace(self.site, folder=self.settings.study_folder(study.name), baseline=None)
        return replace(self, study=study, site=site, unsynced=0)

    def verdict(self, by: str, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Of this stage, which is finished; computed at the first call."""
        from hpo.confirmation import record
        from hpo.confirmation.verdict import Bench, reach
        from hpo.training import environment

        known = record.stored(self.storage, self.study)
        if known is not None:
            return known
        os.environ.update(environment.kernel_cache(self.settings.home))
        bench = Bench(self.settings, self.site.data, self.site.devices[0], by, progress)
        told = reach(self.storage, self.study, bench)
        self._show_verdict()
        return told

    def _show_verdict(self) -> None:
        """In MLflow; where that is away, ``hpo sync`` brings it."""
        from hpo.errors import StorageUnavailable

        try:
            projector(self.settings, self.storage, self.study).study()
        except StorageUnavailable:
            self.unsynced += 1

    @property
    def logs(self) -> Path:
        """Where further workers on this machine write what they say."""
        return self.site.folder / "workers"

    def more_workers(self, count: int, device: str, slots: int) -> LocalWorkers:
        """``count`` further workers on this machine, on the GPUs after the first in turn, each with ``slots``."""
        from hpo.launchers.local import LocalWorkers

        found = [line.partition(":")[0] for line in devices(self.settings)] if count and device == "auto" else []
        others = [found[number % len(found)] if found else "cpu" for number in range(1, count + 1)]
        return LocalWorkers(self.study.name, others if device == "auto" else [device] * count, slots, self.logs)

    def work(self, watcher: Watcher, stop: StopRequest) -> None:
        """Be one of this study's workers until it is finished or a stop is asked for."""
        from hpo.orchestration.worker import Company, Worker
        from hpo.study import controls
        from hpo.study.registry import Life
        from hpo.study.worker_session import WorkerSession
        from hpo.tracking.thread import ProjectionThread

        controls.refuse_if_stopped(self.storage, self.study)
        life = Life(f"{platform.node()}:{os.getpid()}", self.site.devices)
        mirror = ProjectionThread(projector(self.settings, self.storage, self.study))
        session = WorkerSession(self.storage, self.study, life, self.site.baseline)
        try:
            store = checkpoint_store(self.settings, self.study)
            company = Company(session, self.launcher, mirror, watcher, self.known_trials, store)
            Worker(self.study, self.site, company, stop).run()
        finally:
            session.close()
            self.unsynced = mirror.close(DRAIN_S)


@dataclass(frozen=True)
class Offer:
    """What a worker trains on."""

    gpus: str = "auto"
    """``auto`` (the first GPU, else the CPU), ``all`` (the CPU where there is none), ``cpu``, or indices as ``0,1``."""
    each: int | None = 1
    """Slots of each; None: as many as memory allows."""


@contextmanager
def opened(file: Path, overrides: Sequence[str], settings: Settings, offer: Offer = Offer()) -> Iterator[Opened]:
    """Check a study file against its data and model, then store it or join what is stored."""
    from hpo.dataset.description import describe
    from hpo.spec import loader, rules

    loaded = loader.load(file, overrides)
    spec = loaded.spec
    dataset = describe(Path(spec.data), settings.cache)
    launcher = _launcher(settings)  # its seconds of imports go on beside ours
    from hpo.orchestration.worker import Site
    from hpo.study import lifecycle
    from hpo.study.records import Facts, Identity
    from hpo.study.storage import open_storage

    model = _look_at_model(launcher, loaded, settings)
    problems = loaded.problems(rules.check_facts(spec, dataset, model.facts))
    if problems:
        raise SpecError(problems)
    with open_storage(settings.storage_url, create=True, lease_s=spec.recovery.lease_s) as storage:
        identity = Identity(dataset.fingerprint, model.sha256)
        stored = Facts(model.yaml, asdict(dataset), versions())
        study = lifecycle.create_or_join(storage, spec, identity, stored)
        if model.yaml is None:
            _share_weights(settings, storage, study, Path(model.path))
        folder = settings.study_folder(study.name)
        data = _placed_data(folder, Path(spec.data))
        devices = _devices(settings, offer)
        room = _room(settings, storage, study, devices) if offer.each is None else None
        site = Site(folder, model.path, data, _baseline(spec, dataset), devices, settings.cache / "predictions", room)
        yield Opened(settings, storage, study, site, launcher)


@contextmanager
def joined(name: str, data: Path | None, settings: Settings, offer: Offer) -> Iterator[Opened]:
    """A stored study on a machine that has its data, and nothing else of it.

    ``data``: data.yaml where it is not at the place that the study names. Raises StudyConflict where the data or the
    model is another one.
    """
    from hpo.dataset.description import describe
    from hpo.orchestration.worker import Site
    from hpo.study import controls, lifecycle
    from hpo.study.storage import open_storage

    launcher = _launcher(settings)
    with open_storage(settings.storage_url, create=False) as storage:
        study = lifecycle.load(storage, name)
        controls.refuse_if_stopped(storage, study)
    source = data or Path(study.spec.data)
    if not source.exists():
        raise UsageError(f"{source}: no such file; name the data.yaml of study {name!r} on this machine with --data")
    dataset = describe(source, settings.cache)
    if dataset.fingerprint != study.identity.data_fingerprint:
        stored = study.identity.data_fingerprint
        raise StudyConflict(
            name,
            [f"data (content of {source}): sha256 {dataset.fingerprint[:12]}, not {stored[:12]}"],
            "way out: the same images and labels, named with --data",
        )
    folder = settings.study_folder(study.name)
    site = Site(
        folder,
        _model_here(launcher, study, settings),
        _placed_data(folder, source),
        _baseline(study.spec, dataset),
        _devices(settings, offer),
        settings.cache / "predictions",
    )
    with open_storage(settings.storage_url, create=False, lease_s=study.spec.recovery.lease_s) as storage:
        if offer.each is None:
            site = replace(site, room=_room(settings, storage, study, site.devices))
        yield Opened(settings, storage, study, site, launcher)


def _placed_data(folder: Path, source: Path) -> Path:
    """The data.yaml that trials on this machine are given; renamed into place, since workers share the folder."""
    from hpo.dataset.description import write_resolved

    folder.mkdir(parents=True, exist_ok=True)
    placed = folder / "data.yaml"
    aside = folder / f"data.{os.getpid()}.yaml"
    write_resolved(source, aside)
    aside.replace(placed)
    return placed


def _model_here(launcher: ForkserverLauncher, study: StudyRow, settings: Settings) -> str:
    """The study's model on this machine: its YAML as stored, or weights of the same content."""
    name = Path(study.spec.model).name
    if study.facts.model_yaml is not None:
        placed = settings.study_folder(study.name) / "model" / name  # the name says the scale
        placed.parent.mkdir(parents=True, exist_ok=True)
        aside = placed.with_name(f".{os.getpid()}.{name}")
        aside.write_text(study.facts.model_yaml)
        aside.replace(placed)
        return str(placed)
    from hpo.orchestration import starting_weights

    found = starting_weights.obtain(_weights_store(settings, study), study, settings.home / "weights")
    if found is not None:
        return str(found)
    answer = _ask_probe(launcher, study.spec.model, settings)
    if "error" in answer:
        raise UsageError(f"study {study.name!r}: its weights can't be had on this machine: {answer['error']}")
    if answer["sha256"] != study.identity.model_sha256:
        stored = study.identity.model_sha256
        raise StudyConflict(
            study.name,
            [f"model (content of {answer['path']}): sha256 {answer['sha256'][:12]}, not {stored[:12]}"],
            "way out: the same weights at that place",
        )
    return str(answer["path"])


def _share_weights(settings: Settings, storage: Storage, study: StudyRow, file: Path) -> None:
    from hpo.orchestration import starting_weights
    from hpo.study import lifecycle

    store = _weights_store(settings, study)
    if store is not None:
        starting_weights.share(store, study, file, lambda place: lifecycle.set_weights(storage, study, place))


def _weights_store(settings: Settings, study: StudyRow) -> MlflowStore | None:
    from hpo.orchestration.starting_weights import FOLDER
    from hpo.tracking.checkpoints import MlflowStore

    return MlflowStore(settings, study, FOLDER) if settings.artifact_root is None else None


@dataclass(frozen=True)
class SweepRequest:
    """Which predictions are swept (see ``hpo.training.predictions.Wanted``)."""

    weights: Path
    data: Path
    split: str
    imgsz: int | None
    capture: str
    device: str = "auto"
    trust: bool = False


@dataclass(frozen=True)
class Swept:
    """A sweep's result with what it was found on."""

    result: SweepResult
    predictions: Predictions
    request: SweepRequest
    imgsz: int

    def save(self, folder: Path) -> list[Path]:
        """Its files, in ``folder``."""
        from hpo.training import sweep_files

        weights = self.request.weights.resolve()
        title = f"{weights.name} on {self.request.data}, split {self.request.split}"
        return sweep_files.write(
            self.result, self.predictions, sweep_files.Source(title, weights, self.imgsz), folder.resolve()
        )


def sweep(
    request: SweepRequest,
    plan: SweepPlan,
    objective: Objective,
    settings: Settings,
    *,
    with_test: bool,
    progress: Callable[[str, int, int], None],
) -> Swept:
    """Capture (or load) the predictions and sweep them; ``progress`` is told split, images done, images in all.

    With a test split in the data, and ``with_test``, the gain there is measured too; a sweep of the test split itself
    has no other.
    """
    from hpo.dataset.description import describe
    from hpo.training import environment
    from hpo.training.predictions import Wanted, captured

    os.environ.update(environment.kernel_cache(settings.home))

    def predictions(split: str) -> tuple[Predictions, int]:
        wanted = Wanted(
            request.weights, request.data, split, request.imgsz, request.capture, request.device, request.trust
        )
        return captured(wanted, settings, progress=lambda done, images: progress(split, done, images))

    found, imgsz = predictions(request.split)
    splits = describe(request.data, settings.cache).splits
    test = predictions("test")[0] if with_test and "test" in splits and request.split != "test" else None
    from hpo.detection.sweep import sweep as search

    result = search(found, plan, objective, test=test, threads=len(os.sched_getaffinity(0)))
    return Swept(result, found, request, imgsz)


def projector(settings: Settings, storage: Storage, study: StudyRow) -> Projector:
    """The study's projection into MLflow."""
    from hpo.study import lifecycle
    from hpo.tracking.projection import Projector
    from hpo.tracking.reader import StudyReader

    search = lifecycle.load(storage, study.spec.searched_name) if study.spec.planned else study
    return Projector(settings, study, StudyReader(storage, study), home=search)


def checkpoint_store(settings: Settings, study: StudyRow) -> MlflowStore | None:
    """Where checkpoints go that other machines shall find; None where MLflow's store is this machine's own."""
    from hpo.tracking.checkpoints import MlflowStore

    return MlflowStore(settings, study) if settings.artifact_root is None else None


def versions() -> dict[str, str]:
    """Of what a result depends on; read from the installed packages without importing them."""
    packages = ("optuna", "torch", "torchvision", "ultralytics", "mlflow", "numpy", "opencv-python")
    return {"hpo": __version__, "python": platform.python_version()} | {
        name: metadata.version(name) for name in packages
    }


def _launcher(settings: Settings) -> ForkserverLauncher:
    from hpo.launchers.forkserver import ForkserverLauncher
    from hpo.training import child, environment

    return ForkserverLauncher(child.main, "hpo.training.preload", environment.prepare(settings.home))


def _devices(settings: Settings, offer: Offer) -> tuple[str, ...]:
    """Device of each slot; where memory decides how many there are, each device once."""
    gpus, each = offer.gpus, offer.each or 1
    if gpus == "cpu" or (gpus == "auto" and offer.each is not None):
        return (gpus,) * each
    found = [line.partition(":")[0] for line in devices(settings)]
    named = {"all": found, "auto": found[:1]}
    chosen = named[gpus] if gpus in named else [part.strip() for part in gpus.split(",")]
    unknown = [index for index in chosen if index not in found]
    if unknown:
        has = f"GPUs {', '.join(found)}" if found else "no GPU"
        raise UsageError(f"--gpus {gpus}: torch sees {has} here; use all, cpu or some of these")
    return tuple(index for index in chosen for _ in range(each)) or ("cpu",) * each


def _room(settings: Settings, storage: Storage, study: StudyRow, devices: tuple[str, ...]) -> Room:
    """By what is free now: to be asked before the first trial."""
    from hpo.orchestration import room
    from hpo.study import peaks
    from hpo.training import probe

    free = {"cpu": room.free_host_mib()}
    if devices != ("cpu",):
        try:
            free |= json.loads(_launcher(settings).call(probe.free_memory, "", PROBE_TIMEOUT_S))
        except (TimeoutError, EOFError) as error:
            raise HpoError(f"--slots-per-gpu auto: the GPUs did not tell their free memory: {error}") from error
    return room.Room(room.Memory(free, room.cores()), lambda: peaks.seen(storage, study))


def devices(settings: Settings) -> list[str]:
    """The GPUs that torch can use here, a line each. Raises HpoError where torch can't even be imported."""
    from hpo.training import probe

    try:
        found: list[str] = json.loads(_launcher(settings).call(probe.devices, "", PROBE_TIMEOUT_S))
    except (TimeoutError, EOFError) as error:
        raise HpoError(f"torch can't be used: the process that imports it gave no answer: {error}") from error
    return found


@dataclass(frozen=True)
class _Model:
    path: str
    """What Ultralytics is given: a file, or a name of its own such as yolov8n.yaml."""
    yaml: str | None
    sha256: str
    facts: ModelFacts


def _look_at_model(launcher: ForkserverLauncher, loaded: Loaded, settings: Settings) -> _Model:
    """A model YAML is read as text; weights are loaded in a process of their own (and fetched first, by name)."""
    from hpo.spec import models

    spec = loaded.spec
    file, facts = models.yaml_file(spec.model), models.facts(spec.model)
    if file is None or facts is None:
        return _probe(launcher, loaded, settings)
    text = file.read_text()
    # the scale is a letter of the name: the same text is another model as yolov8n.yaml and as yolov8s.yaml
    digest = hashlib.sha256(f"{Path(spec.model).name}\n{text}".encode()).hexdigest()
    return _Model(spec.model, text, digest, facts)


def _probe(launcher: ForkserverLauncher, loaded: Loaded, settings: Settings) -> _Model:
    from hpo.spec.report import Finding
    from hpo.spec.rules import ModelFacts

    answer = _ask_probe(launcher, loaded.spec.model, settings)
    if "error" in answer:
        raise SpecError(loaded.problems([Finding("model", f"{loaded.spec.model}: {answer['error']}")]))
    facts = ModelFacts(head_has_nms=answer["head_has_nms"], task=answer["task"])
    return _Model(answer["path"], None, answer["sha256"], facts)


def _ask_probe(launcher: ForkserverLauncher, model: str, settings: Settings) -> dict[str, Any]:
    from hpo.training import probe

    request = json.dumps({"model": model, "weights_folder": str(settings.home / "weights")})
    try:
        answer: dict[str, Any] = json.loads(launcher.call(probe.main, request, PROBE_TIMEOUT_S))
    except (TimeoutError, EOFError) as error:
        raise HpoError(f"model {model}: the process that looks at it gave no answer: {error}") from error
    return answer


def _baseline(spec: StudySpec, dataset: DatasetSummary) -> BaselinePlan | None:
    from hpo.spec import plan

    if not spec.baseline:
        return None
    return plan.baseline(spec, nc=dataset.nc, train_images=dataset.splits["train"].images)
