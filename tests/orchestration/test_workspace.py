"""The training request of a trial on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hpo.orchestration.workspace import Workspace
from hpo.study.database.storage import Storage
from hpo.study.records import Proposal
from hpo.study.studies.lifecycle import create_or_join
from hpo.studyfile.stage import PlannedRun
from hpo.trial.operating_point import DEFAULT, OperatingPoint
from tests.study.support import FACTS, IDENTITY, study_spec


def test_a_stage_trains_and_measures_what_its_plan_says_whatever_was_proposed(storage: Storage) -> None:
    point = OperatingPoint(0.5, 0.3, per_class_conf=(0.3, 0.4))
    runs = (
        PlannedRun(None, (("lr0", 0.01),), (("epochs", 3), ("seed", 1)), DEFAULT),
        PlannedRun(7, (("lr0", 0.002),), (("epochs", 3), ("freeze", [0, 1]), ("seed", 2)), point),
    )
    stage = create_or_join(storage, study_spec("digits.confirm"), IDENTITY, FACTS, runs)
    assert (stage.plan, stage.searched_name) == (runs, "digits")
    workspace = Workspace(Path("/runs"), "n.yaml", Path("data.yaml"), None)
    proposal = Proposal(1, 1, 1, "token", {"lr0": 0.05}, baseline=False, retries_left=0, resume_epoch=0)
    assert workspace.asked(stage, proposal) == ({"epochs": 3, "freeze": [0, 1], "seed": 2}, point)
    search = replace(stage, plan=())
    assert workspace.asked(search, proposal)[0]["lr0"] == 0.05
