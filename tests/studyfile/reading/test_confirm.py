"""The confirmation stage in a study file, and the plan of a stage."""

from __future__ import annotations

import pytest

from hpo.studyfile import serialize
from hpo.studyfile.schema import Confirm
from hpo.studyfile.stage import PlannedRun
from hpo.trial.operating_point import DEFAULT, OperatingPoint
from tests.studyfile.conftest import Studio


def test_it_is_off_unless_it_is_asked_for_and_has_defaults(studio: Studio) -> None:
    assert studio.load().confirm is None
    assert studio.load("confirm={}").confirm == Confirm(top=3, seeds=3)
    assert studio.load("confirm.seeds=5").confirm == Confirm(top=3, seeds=5)


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("confirm={top: 0}", "confirm.top"),
        ("confirm={seeds: 1}", "confirm.seeds"),
        ("confirm={best: 3}", "confirm.best"),
    ],
)
def test_what_could_prove_nothing_is_refused(studio: Studio, override: str, path: str) -> None:
    assert studio.problem(override).path == path


def test_the_stage_needs_a_name_of_its_own(studio: Studio) -> None:
    assert "confirmation stages" in studio.problem("name=cells.confirm").message
    long = f"name={'n' * 56}"
    assert studio.load(long).confirm is None
    assert "at most 55" in studio.problem(long, "confirm={}").message
    assert studio.load(f"name={'n' * 55}", "confirm={}").confirm == Confirm()


def test_a_plan_is_stored_with_its_study_and_is_no_part_of_it(studio: Studio) -> None:
    point = OperatingPoint(0.5, 0.3, per_class_conf=(0.3, 0.4))
    runs = (
        PlannedRun(None, (("lr0", 0.01),), (("epochs", 3), ("seed", 1)), DEFAULT),
        PlannedRun(7, (("lr0", 0.002),), (("epochs", 3), ("freeze", [0, 1]), ("seed", 2)), point),
    )
    spec = studio.load()
    text = serialize.to_json(spec, runs)
    assert serialize.from_json(text) == spec
    assert serialize.plan_from_json(text) == runs
    assert serialize.plan_from_json(serialize.to_json(spec)) == ()
    assert serialize.digest(spec, runs) != serialize.digest(spec, runs[:1]) != serialize.digest(spec)
    assert [run.baseline for run in runs] == [True, False]


def test_a_study_that_an_older_version_stored_is_read(studio: Studio) -> None:
    text = serialize.to_json(studio.load())
    assert '"confirm":null,' in text
    older = text.replace('"confirm":null,', "")
    assert serialize.from_json(older) == studio.load()
