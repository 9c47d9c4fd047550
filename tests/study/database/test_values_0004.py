"""Version 0004 of the tables: values in mixed JSON move to their own columns, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, column, insert, select, table, text, union_all, update

from hpo.study.database import schema, tables
from hpo.study.database.storage import Storage, open_storage
from hpo.study.database.tables import stored_version
from hpo.study.records import Look, StudyRow
from hpo.study.session import peaks
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, snapshot, verdicts
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import OperatingPoint
from tests.searches import verdict
from tests.study.support import MakeStudy, run, study_spec
from tests.support import swept

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
FOUND = swept(OperatingPoint(0.45, 0.37, kind=Kind.AGNOSTIC))
POINT = OperatingPoint(0.6, 0.3)
BEFORE_KINDS = {"iou": 0.6, "conf": 0.3, "max_det": 100, "agnostic_nms": True}
TRIALS: list[dict[str, Any] | None] = [
    None,
    POINT.to_dict(),
    BEFORE_KINDS,
    {**FOUND.best.point.to_dict(), "sweep": FOUND.to_dict()},
]
"""Column ``operating_point`` of the first trials, as versions up to 0003 wrote it."""
ATTEMPTS: list[dict[str, Any]] = [
    {},
    {"batch": 8, "device": "cpu"},
    {"batch": 8, "device": "cpu", "peak_mib": 400},
    {"peak_mib": 120},
]
"""Column ``effective``."""
NOTES: list[tuple[str, Any, Any]] = [
    ("control", "run", "pause"),
    ("look", None, {"split": "val"}),
    ("look", None, {"split": "test"}),
    ("verdict", None, verdict("worse").to_dict()),
    ("register", None, {"id": "1", "split": "test"}),
    ("look", None, {"split": "test", "weights": "a" * 64}),
    ("verdict", None, verdict("beats").to_dict()),
    ("budget.trials", 3, 5),
]
"""Key, before and after of rows of ``hpo_changes``."""
RAW_TRIALS = table("hpo_trials", column("number"), column("operating_point"))
RAW_ATTEMPTS = table("hpo_attempts", column("number"), column("effective"))


def downgrade(storage: Storage, revision: str = "0003") -> None:
    with storage.engine.begin() as connection:
        command.downgrade(schema.alembic_config(connection), revision)


def upgrade(storage: Storage) -> None:
    open_storage(storage.url.render_as_string(hide_password=False), create=True, upgrade=True).close()


def rows(storage: Storage, sql: str) -> Sequence[Any]:
    return storage.read(lambda connection: connection.execute(text(sql)).all())


@pytest.fixture
def old(storage: Storage, make_study: MakeStudy) -> StudyRow:
    """A study of version 0003 with rows of every shape."""
    study = make_study(study_spec(trials=6))
    with WorkerSession(storage, study, "w", None) as session:
        run(session)
    downgrade(storage)

    def fill(connection: Connection) -> None:
        for number, point in enumerate(TRIALS):
            stored = None if point is None else json.dumps(point)
            mine = update(RAW_TRIALS).where(RAW_TRIALS.c.number == number)
            connection.execute(mine.values(operating_point=stored))
        for number, effective in enumerate(ATTEMPTS):
            mine = update(RAW_ATTEMPTS).where(RAW_ATTEMPTS.c.number == number)
            connection.execute(mine.values(effective=json.dumps(effective)))
        noted = [
            {"study_id": study.id, "at": AT, "by": "me", "key": key, "before": before, "after": after}
            for key, before, after in NOTES
        ]
        connection.execute(insert(tables.changes), noted)

    storage.write(fill)
    return study


def test_a_setting_and_what_a_sweep_found_become_two_values(storage: Storage, old: StudyRow) -> None:
    upgrade(storage)
    found = snapshot.trials(storage, old)
    before_kinds = OperatingPoint(0.6, 0.3, 100, Kind.AGNOSTIC)
    assert [row.operating_point for row in found[:4]] == [None, POINT, before_kinds, FOUND.best.point]
    assert [row.sweep for row in found[:4]] == [None, None, None, FOUND]
    stored = [row[0] for row in rows(storage, "SELECT operating_point FROM hpo_trials ORDER BY number")[:3]]
    assert stored == [None, json.dumps(POINT.to_dict()), json.dumps(BEFORE_KINDS)]  # not touched


def test_a_peak_of_memory_leaves_what_was_trained(storage: Storage, old: StudyRow) -> None:
    upgrade(storage)
    tried = [row.attempts[0] for row in snapshot.trials(storage, old)[:4]]
    assert [attempt.peak_mib for attempt in tried] == [None, None, 400, 120]
    assert [attempt.effective for attempt in tried] == [{}, ATTEMPTS[1], ATTEMPTS[1], {}]
    assert sorted(peak.mib for peak in peaks.seen(storage, old)) == [120.0, 400.0]


def test_looks_and_verdicts_leave_the_changes_in_their_order(storage: Storage, old: StudyRow) -> None:
    upgrade(storage)
    assert verdicts.looks(storage, old) == [Look("val"), Look("test"), Look("test", "a" * 64)]
    assert verdicts.stored(storage, old) == verdict("beats")
    kept = [key for (key,) in rows(storage, "SELECT key FROM hpo_changes ORDER BY id")]
    assert kept == ["control", "register", "budget.trials"]
    assert controls.notes(storage, old, "register") == [{"id": "1", "split": "test"}]
    noted = union_all(*(select(kind.c.at, kind.c.by) for kind in (tables.looks, tables.verdicts)))
    assert storage.read(lambda connection: connection.execute(noted).all()) == [(AT, "me")] * 5


def test_no_row_is_left_out_where_there_are_many(storage: Storage, old: StudyRow) -> None:
    mixed = json.dumps(TRIALS[3])
    fields = "baseline, params, train, detail, counts, metrics, epochs"
    added = text(
        f"INSERT INTO hpo_trials (study_id, number, ordinal, operating_point, {fields}) "  # noqa: S608
        "VALUES (:study, :number, :number, :point, false, '{}', '{}', '', true, '{}', 10)"
    )
    numbers = range(100, 1303)
    given = [{"study": old.id, "number": number, "point": mixed} for number in numbers]
    storage.write(lambda connection: connection.execute(added, given))
    upgrade(storage)
    assert rows(storage, "SELECT count(*) FROM hpo_trials WHERE sweep IS NOT NULL") == [(len(numbers) + 1,)]
    [(point, sweep)] = rows(storage, "SELECT operating_point, sweep FROM hpo_trials WHERE number = 1302")
    assert (point, sweep) == (json.dumps(FOUND.best.point.to_dict()), json.dumps(FOUND.to_dict()))


def test_an_upgrade_that_breaks_off_leaves_the_tables_as_they_were(storage: Storage, old: StudyRow) -> None:
    broken = update(RAW_TRIALS).where(RAW_TRIALS.c.number == 4).values(operating_point='{"sweep": ')
    storage.write(lambda connection: connection.execute(broken))
    columns = "SELECT operating_point FROM hpo_trials ORDER BY number"
    before = rows(storage, columns)
    with pytest.raises(json.JSONDecodeError):
        upgrade(storage)
    assert storage.read(stored_version) == "0003"
    assert rows(storage, columns) == before
    assert len(rows(storage, "SELECT * FROM hpo_changes")) == len(NOTES)


def test_the_way_back_gives_what_was_there(storage: Storage, old: StudyRow) -> None:
    upgrade(storage)
    downgrade(storage)
    points = [row[0] for row in rows(storage, "SELECT operating_point FROM hpo_trials ORDER BY number")[:4]]
    assert [None if point is None else json.loads(point) for point in points] == TRIALS
    effective = [row[0] for row in rows(storage, "SELECT effective FROM hpo_attempts ORDER BY number")[:4]]
    assert [json.loads(each) for each in effective] == ATTEMPTS
    noted = [(key, json.loads(after)) for key, after in rows(storage, "SELECT key, after FROM hpo_changes ORDER BY id")]
    assert sorted(map(str, noted)) == sorted(str((key, after)) for key, _, after in NOTES)
