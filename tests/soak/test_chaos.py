"""The short form of ``make soak``: everything real but most trainings, on whatever machine the suite runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.chaos import Plan, soak


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_study_under_attack_ends_exactly_on_its_budget(tmp_path: Path) -> None:
    plan = Plan(workers=4, real=1, deaths=6, restarts=2, last=8, limit_s=800)
    found = soak(plan, tmp_path)
    assert found["killed"] >= plan.deaths
    assert found["restart"] >= plan.restarts
    assert found["YOLO trials"] > 0
