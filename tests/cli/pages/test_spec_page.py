from __future__ import annotations

import pytest

from hpo.cli.pages.spec_page import _swept
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.operating_point import SweepPlan


@pytest.mark.parametrize("kind", SUPPRESSING)
def test_kinds_that_yolo_predict_cannot_do_are_said_to_deploy_through_hpo_deploy(kind: Kind) -> None:
    said = _swept(SweepPlan(kinds=(Kind.HARD, kind)))
    assert f"NMS hard, {kind}" in said
    assert (f"can't do {kind}: where such a setting wins, it deploys through hpo.deploy" in said) != kind.is_plain
    by_class = _swept(SweepPlan(kinds=(Kind.HARD,), per_class=True))
    assert "can't do a confidence a class" in by_class
    assert "for each class" in by_class
