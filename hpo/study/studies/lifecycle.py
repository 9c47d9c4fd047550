"""Studies as a whole: created once, joined by name, compared, listed, deleted."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Mapping
from dataclasses import asdict, astuple, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy import delete as delete_rows
from sqlalchemy.exc import IntegrityError

from hpo.errors import StudyConflict, UsageError
from hpo.study.database import optuna_tables, tables
from hpo.study.database.damage import Damaged
from hpo.study.database.rows import value_of
from hpo.study.database.storage import Storage
from hpo.study.records import Facts, Identity, StudyRow
from hpo.study.studies.progress import Control
from hpo.study.studies.said import Said
from hpo.studyfile import serialize
from hpo.studyfile.reading.train_files import NAMES, same_file
from hpo.studyfile.schema import NAME, STAGE_SUFFIX, StudySpec
from hpo.studyfile.stage import StagePlan


def create_or_join(
    storage: Storage, spec: StudySpec, identity: Identity, facts: Facts, plan: StagePlan = ()
) -> StudyRow:
    """Return the stored study of ``spec.name``; make it if there is none. Several processes may do so at once.

    ``plan``: the trainings of a confirmation stage.

    Raises ``StudyConflict`` when the stored one has another specification, other data or another model; content
    decides, not where it lies. Of the specification only what the study file itself says is compared (``facts.said``):
    defaults and parts of the space stay as they were when the study was made. ``confirm`` and ``final`` may differ,
    since they change nothing in the search: the new values are stored.
    """
    row = find(storage, spec.name) or _create(storage, (spec, plan), identity, facts)
    asked = _as_stored(row, spec, identity, facts)
    alike = replace(asked, confirm=row.spec.confirm, final=row.spec.final)
    said = None if facts.said is None else Said(facts.said, row.facts.said)
    differences = [*_differences(row, (alike, plan), identity, said), *other_channels(row, facts.channels)]
    differences += [*other_files(row, facts.train_files or {}), *_newly_trusted(row, facts)]
    if differences:
        raise StudyConflict(spec.name, differences, _way_out(row, identity, facts))
    return row if alike == asked else _with_later_stages(storage, row, spec)


def _way_out(stored: StudyRow, identity: Identity, facts: Facts) -> str:
    """Return what to do about a conflict; nobody is told to drop a study whose data or model lies elsewhere."""
    if identity.data_fingerprint != stored.identity.data_fingerprint:
        return "way out: name the study's own images and labels, where they lie now, with --data; or another `name:`"
    if identity.model_sha256 != stored.identity.model_sha256:
        return "way out: name the study's own model, where it lies now; or another `name:` in the study file"
    if other_channels(stored, facts.channels):
        return "way out: the `channels` that the study was made with, in the data.yaml; or another `name:`"
    return f"way out: another `name:` in the study file, or `hpo delete {stored.name}` to drop what is stored"


def _with_later_stages(storage: Storage, row: StudyRow, spec: StudySpec) -> StudyRow:
    changed = replace(row.spec, confirm=spec.confirm, final=spec.final)
    stored = {"spec": serialize.to_json(changed, row.plan), "spec_sha256": serialize.digest(changed, row.plan)}
    _update(storage, row.id, **stored)
    return load(storage, row.name)


def load(storage: Storage, name: str) -> StudyRow:
    """Return the study. Raises ``UsageError``, with the nearest names, when there is none of this name."""
    row = find(storage, name)
    if row is None:
        raise _unknown(storage, name)
    return row


def is_stored(storage: Storage, name: str) -> bool:
    return find(storage, name) is not None


def names(storage: Storage) -> list[str]:
    """Return the names of all searches, the oldest first; their confirmation stages are part of them."""
    searches = select(tables.studies.c.name).where(~tables.studies.c.name.endswith(STAGE_SUFFIX, autoescape=True))
    ordered = searches.order_by(tables.studies.c.created_at, tables.studies.c.id)
    return storage.read(lambda connection: list(connection.scalars(ordered)))


def delete(storage: Storage, name: str) -> None:
    """Delete every row of the study and of its confirmation stage, Optuna's and ours, in one transaction.

    Files and MLflow runs stay. When only a stage is deleted, the looks at a split stay with its search, because they
    were taken.
    """
    study, stage = load(storage, name), confirmation(storage, name)
    ids = [study.id, *([] if stage is None else [stage.id])]
    search = find(storage, study.searched_name) if study.plan else None

    def action(connection: Connection) -> None:
        if search is not None:
            looks = tables.looks.c.study_id == study.id
            connection.execute(update(tables.looks).where(looks).values(study_id=search.id))
        for study_id in ids:
            _delete(connection, study_id)

    storage.write(action)


def confirmation(storage: Storage, name: str) -> StudyRow | None:
    """Return the confirmation stage of the search ``name``; None before it has begun."""
    return find(storage, f"{name}{STAGE_SUFFIX}")


def _delete(connection: Connection, study_id: int) -> None:
    for table in reversed(tables.metadata.sorted_tables):
        if "study_id" in table.c:
            connection.execute(delete_rows(table).where(table.c.study_id == study_id))
    connection.execute(delete_rows(tables.studies).where(tables.studies.c.id == study_id))
    optuna_tables.delete_study(connection, study_id)


def set_experiment(storage: Storage, study_id: int, experiment_id: str) -> None:
    """Store the MLflow experiment of a study."""
    _update(storage, study_id, mlflow_experiment_id=experiment_id)


def set_weights(storage: Storage, study: StudyRow, location: str) -> None:
    """Store the location of the starting weights in the artifact store."""
    _update(storage, study.id, facts=asdict(replace(study.facts, weights=location)))


def set_data(storage: Storage, study: StudyRow, dataset: dict[str, Any], change: dict[str, Any], by: str) -> None:
    """Let ``study`` go on with another ``dataset`` (a summary as a dict). ``change``: the record of it.

    Raises ``StudyConflict`` if another process has changed it meanwhile.
    """
    facts = replace(study.facts, dataset=dataset, data_changes=[*study.facts.data_changes, change])
    before, after = change["before"], change["after"]

    def action(connection: Connection) -> bool:
        mine = (tables.studies.c.id == study.id) & (tables.studies.c.data_fingerprint == before)
        values = {"data_fingerprint": after, "facts": asdict(facts)}
        if connection.execute(update(tables.studies).where(mine).values(values)).rowcount == 0:
            return False
        row = {"study_id": study.id, "at": tables.Now(), "by": by, "key": "data", "before": before, "after": after}
        connection.execute(insert(tables.changes).values(row))
        return True

    if not storage.write(action):
        raise StudyConflict(study.name, ["its data was changed by another process"], "way out: the same command again")


def _update(storage: Storage, study_id: int, **values: Any) -> None:
    storage.execute(update(tables.studies).where(tables.studies.c.id == study_id).values(values))


def find(storage: Storage, name: str) -> StudyRow | None:
    """Return the study; None where there is none of this name."""
    statement = select(tables.studies).where(tables.studies.c.name == name)
    return storage.read(lambda connection: _study_row(connection.execute(statement).one_or_none()), study=name)


def _study_row(row: Row[Any] | None) -> StudyRow | None:
    if row is None:
        return None
    if not NAME.fullmatch(row.name.removesuffix(STAGE_SUFFIX)):  # it is the name of folders, which are deleted too
        raise Damaged("hpo_studies.name", row.name, "no name of a study")
    try:
        spec, plan = serialize.from_json(row.spec), serialize.plan_from_json(row.spec)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged("hpo_studies.spec", row.spec, error) from error
    try:
        facts = Facts.from_dict(row.facts)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged("hpo_studies.facts", row.facts, error) from error
    return value_of(StudyRow, row, spec=spec, identity=value_of(Identity, row), facts=facts, plan=plan)


def _create(storage: Storage, asked: tuple[StudySpec, StagePlan], identity: Identity, facts: Facts) -> StudyRow:
    spec, digest = asked[0], serialize.digest(*asked)
    study_id = _create_in_optuna(storage, spec.name, {"spec_sha256": digest, **asdict(identity)})
    known = {"id": study_id, "uuid": str(uuid.uuid4()), "name": spec.name, "created_at": datetime.now(UTC)}
    stored = {"spec": serialize.to_json(*asked), "spec_sha256": digest, "facts": asdict(facts), **asdict(identity)}
    budget = {"budget_trials": spec.budget.trials, "budget_hours": spec.budget.hours}
    control = {"control": Control.RUN.value, "control_reason": ""}
    statement = insert(tables.studies).values(**known, **stored, **budget, **control)
    try:
        storage.execute(statement)
    except IntegrityError:
        if find(storage, spec.name) is None:
            raise
        # another process made it in between: the caller compares
    return load(storage, spec.name)


def _create_in_optuna(storage: Storage, name: str, attributes: dict[str, str]) -> int:
    """Create the study in Optuna and return its id. The attributes are for people who use Optuna's own tools."""
    import optuna

    study = storage.call_optuna(
        lambda rdb: optuna.create_study(storage=rdb, study_name=name, direction="maximize", load_if_exists=True)
    )
    if study.get_trials(deepcopy=False) and find(storage, name) is None:
        difference = "made by Optuna alone, with trials of its own"
        raise StudyConflict(name, [difference], "way out: another `name:` in the study file")
    for key, value in attributes.items():
        storage.call_optuna(lambda _rdb, key=key, value=value: study.set_user_attr(key, value))  # type: ignore[misc]
    rows = optuna_tables.studies
    statement = select(rows.c.study_id).where(rows.c.study_name == name)
    return storage.read(lambda connection: int(connection.execute(statement).scalar_one()))


def _differences(
    stored: StudyRow, asked: tuple[StudySpec, StagePlan], identity: Identity, said: Said | None
) -> list[str]:
    differences: list[str] = []
    digest = serialize.digest(*asked)
    # of the spec as it is read today: one that an older version stored lacks keys that have a default now
    if said is not None:
        differences += said.differences(stored.spec, asked[0])
    elif digest != serialize.digest(stored.spec, stored.plan):
        listed = serialize.differences(stored.spec, asked[0])
        differences += listed or [f"spec: stored sha256 {stored.spec_sha256}, asked {digest}"]
    names = ("data (content of its images and labels)", "model (content of its file)")
    pairs = zip(names, astuple(stored.identity), astuple(identity), strict=True)
    return differences + [
        f"{what}: stored sha256 {old[:12]}, asked {new[:12]}" for what, old, new in pairs if old != new
    ]


def other_channels(stored: StudyRow, channels: int | None) -> list[str]:
    """Return a line if images of the same content are read with other ``channels``: another network is trained then."""
    known = stored.facts.channels
    if known is None or channels is None or known == channels:
        return []
    return [f"data (key `channels` of its data.yaml): stored {known}, asked {channels}"]


def other_files(stored: StudyRow, found: Mapping[str, str]) -> list[str]:
    """Return a line for each file of weights under ``train`` whose content is not that of the stored study."""
    known = stored.facts.train_files or {}
    return [
        f"train.{name} (content of its file): stored sha256 {known[name][:12]}, asked {sha256[:12]}"
        for name, sha256 in found.items()
        if known.get(name, sha256) != sha256
    ]


def _newly_trusted(stored: StudyRow, asked: Facts) -> list[str]:
    """Return a line for each file that is trusted only now: the other machines go by what the study was made with."""
    known = set(stored.facts.trusted.values())
    new = [file for file, sha256 in asked.trusted.items() if sha256 not in known]
    return [f"--trust {file}: the study was made without it, so no machine trusts it" for file in new]


def _as_stored(row: StudyRow, spec: StudySpec, identity: Identity, facts: Facts) -> StudySpec:
    """Return ``spec`` with the stored paths where only paths differ: of data always, since its content is compared on
    its own, and of a model and of weights under ``train`` with the stored content.
    """
    before, old = dict(row.spec.train), row.facts.train_files is None
    known, found = row.facts.train_files or {}, facts.train_files or {}

    def same(key: str, value: object) -> bool:
        if old:
            return _alike(before.get(key), value)
        return key in found and known.get(key) == found[key] and isinstance(before.get(key), str)

    train = tuple((key, before[key] if key in NAMES and same(key, value) else value) for key, value in spec.train)
    model = row.spec.model if row.identity.model_sha256 == identity.model_sha256 else spec.model
    return replace(spec, data=row.spec.data, model=model, train=train)


def _alike(stored: object, asked: object) -> bool:
    return isinstance(stored, str) and isinstance(asked, str) and same_file(stored, asked)


def _unknown(storage: Storage, name: str) -> UsageError:
    known = names(storage)
    near = difflib.get_close_matches(name, known, n=3) or known[-3:]
    if not near:
        return UsageError(f"{storage.place}: no study yet: `hpo run FILE` makes one")
    return UsageError(f"{storage.place}: no study {name!r}; there is {', '.join(near)}")
