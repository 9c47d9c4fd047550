"""Registration in the model registry, as champion or challenger: at once, or by ``hpo sync`` after an outage."""

from __future__ import annotations

import json
import platform
import tempfile
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hpo.errors import HpoError, StorageUnavailable, UsageError
from hpo.promotion.weights_process import WeightsProcess
from hpo.settings import Settings
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.studies import controls, places
from hpo.studyfile.planning.extent import trained_classes
from hpo.tracking.registry import Champion, ModelRegistry, RegistryEntry
from hpo.trial import handed_over as names
from hpo.trial.operating_point import Interval

REGISTER, REGISTERED = "register", "registered"
"""Keys of ``hpo_changes``: a promotion that waits for its registration, and a registered one."""
RESAMPLES = 2000


@dataclass(frozen=True)
class Pending:
    """A promoted folder that waits for its registration, with all that another process needs for it."""

    id: str
    name: str
    """Name of the registered model."""
    folder: str
    host: str
    """Machine that has the folder."""
    data: str
    """Path of the data.yaml on that machine."""
    split: str
    """Split of the comparison: test, or val if there is no test split."""
    trial: int
    run_id: str
    """Id of the MLflow run of the search's trial."""
    with_val: bool

    @staticmethod
    def of(name: str, folder: Path, data: Path, **facts: Any) -> Pending:
        return Pending(uuid.uuid4().hex, name, str(folder), platform.node(), str(data), **facts)


@dataclass(frozen=True)
class Registered:
    name: str
    version: str
    alias: str
    """``champion`` or ``challenger``."""
    why: str


def check_name(name: str) -> None:
    """Raise ``UsageError`` for a name that MLflow's registry would refuse."""
    if not name.strip() or set("/:\\'") & set(name) or len(name) > 250:
        why = "a registered model's name holds no / : \\ ' and has 1 to 250 characters"
        raise UsageError(f"--register {name!r}: {why}")


def pending(storage: Storage, study: StudyRow) -> list[Pending]:
    """Return the promotions that are not registered yet."""
    done = {note["id"] for note in controls.notes(storage, study, REGISTERED)}
    wanted = [Pending(**note) for note in controls.notes(storage, study, REGISTER)]
    return [each for each in wanted if each.id not in done]


def note(storage: Storage, study: StudyRow, wanted: Pending, by: str) -> None:
    """Store the promotion before the attempt to register it, so that no failure loses it."""
    controls.note(storage, study, by, REGISTER, asdict(wanted))


def register(
    storage: Storage, study: StudyRow, wanted: Pending, weights_process: WeightsProcess, by: str
) -> Registered:
    """Register the folder. Raises ``StorageUnavailable`` if the registry does not answer, ``UsageError`` if the folder
    is gone.
    """
    folder = Path(wanted.folder)
    if not (folder / names.METRICS).is_file():
        raise UsageError(
            f"{folder} (on {wanted.host}) is not on this machine any more: it can't be registered as {wanted.name!r}; "
            f"run `hpo sync {study.name}` where it is, or promote again"
        )
    registry, entry = ModelRegistry(weights_process.settings), _entry(study, wanted, folder)
    known = registry.version_of(entry)
    with tempfile.TemporaryDirectory() as place:
        there = registry.champion(wanted.name, Path(place))
        again = known is not None and there is not None and there.version == known
        wanted = replace(wanted, data=str(_data(storage, study, wanted)))
        alias, why = ("champion", "it is it already") if again else _compared(study, wanted, there, weights_process)
    version = registry.add(study, entry, alias)
    done = Registered(wanted.name, version, alias, why)
    controls.note(storage, study, by, REGISTERED, {"id": wanted.id, **asdict(done)})
    return done


def follow(settings: Settings, study: StudyRow) -> list[Registered]:
    """Register again what was registered before HPO_HOME moved. Raises ``StorageUnavailable``."""
    why = "made again: its files have moved with HPO_HOME"
    followed = ModelRegistry(settings).follow(study)
    return [Registered(name, version, ", ".join(aliases) or "no alias", why) for name, version, aliases in followed]


def catch_up(
    storage: Storage, study: StudyRow, weights_process: WeightsProcess, by: str
) -> tuple[list[Registered], list[str]]:
    """Register what is pending; return the registered ones, and the reason for each that can't be registered.

    Raises ``StorageUnavailable``.
    """
    done: list[Registered] = []
    problems: list[str] = []
    for wanted in pending(storage, study):
        try:
            done.append(register(storage, study, wanted, weights_process, by))
        except StorageUnavailable:
            raise
        except HpoError as error:
            problems.append(str(error))
    return done, problems


def _data(storage: Storage, study: StudyRow, wanted: Pending) -> Path:
    """Return the place of the data: where the promotion found it, or where it was found last."""
    named = Path(wanted.data)
    return named if named.is_file() else places.data(storage, study)


def _entry(study: StudyRow, wanted: Pending, folder: Path) -> RegistryEntry:
    told = json.loads((folder / names.METRICS).read_text())
    tags = {
        "hpo.study": study.name,
        "hpo.study_uuid": study.uuid,
        "hpo.trial_number": str(wanted.trial),
        "hpo.trial_run_id": wanted.run_id,
        "hpo.data_sha256": study.identity.data_fingerprint,
        "hpo.weights_sha256": told["weights_sha256"],
        "hpo.with_val": str(wanted.with_val).lower(),
        "hpo.objective": told["objective"],
    }
    metrics = {f"{split}/{name}": value for split, values in told["splits"].items() for name, value in values.items()}
    card = (folder / names.CARD).read_text()
    return RegistryEntry(wanted.id, wanted.name, folder, tags, card[:4000], metrics)


def _compared(
    study: StudyRow, wanted: Pending, there: Champion | None, weights_process: WeightsProcess
) -> tuple[str, str]:
    """Return the alias and the reason for it."""
    if there is None:
        return "champion", "no other was there"
    if wanted.split == "val" and (wanted.with_val or there.tags.get("hpo.with_val") == "true"):
        return "challenger", "there is no test split, and val was trained on: no split to compare on"
    try:
        gain = _gain(study, wanted, there, weights_process)
    except UsageError as error:
        return "challenger", f"version {there.version} can't be compared with: {error}"
    told = (
        f"{100 * gain.value:+.1f} points {study.spec.objective} against version {there.version} on {wanted.split} "
        f"(95% interval over images {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    )
    return ("champion" if gain.low > 0 else "challenger"), told


def _gain(study: StudyRow, wanted: Pending, there: Champion, weights_process: WeightsProcess) -> Interval:
    """Return the paired gain of ours over theirs on the same images, each at its own operating point."""
    from hpo.detection.evidence import Bootstrap
    from hpo.detection.repeated import drawn
    from hpo.evidence.images import paired

    bootstrap = Bootstrap(RESAMPLES, study.spec.search.seed)
    keep = max(study.spec.keep.caches, 4)
    folder, runs = Path(wanted.folder), []
    for weights, settings in ((folder / names.WEIGHTS, folder / names.POINT), (there.weights, there.settings)):
        point, _ = names.read_point(settings)
        found = weights_process.predictions(weights, Path(wanted.data), wanted.split, keep)
        found = found.only(trained_classes(study.spec))
        runs.append(drawn(found, point, study.spec.objective, bootstrap))
    ours, theirs = runs
    return paired([ours], [theirs])
