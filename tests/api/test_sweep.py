"""``hpo.sweep`` finds what ``hpo sweep`` finds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

import hpo
from hpo.cli.main import cli
from tests.api.conftest import Ran


@pytest.mark.long
def test_the_best_setting_is_that_of_the_command(ran: Ran, mine: hpo.Study, tiny: Path, tmp_path: Path) -> None:
    weights, environ = mine.best.weights, dict(os.environ)
    assert weights is not None
    seen: list[tuple[str, int, int]] = []
    found = hpo.sweep(weights, data=tiny, objective="map50", progress=lambda *told: seen.append(told))
    assert os.environ == environ
    assert seen[-1] == ("val", 24, 24)
    words = ["sweep", str(weights), "--data", str(tiny), "--objective", "map50", "--json"]
    told = json.loads(CliRunner().invoke(cli, words, catch_exceptions=False).stdout)
    assert {**found.to_dict(), "seconds": 0.0} == {**told, "seconds": 0.0}
    assert found.best == {name: told["best"][name] for name in found.best}
    assert {"kind", "iou", "conf"} <= set(found.best)
    assert found.imgsz == 64
    assert any(path.name == "predict.yaml" for path in found.save(tmp_path / "swept"))


def test_a_kind_that_does_not_exist_is_named(home: Path, tiny: Path) -> None:
    with pytest.raises(hpo.UsageError, match="no kind 'nice'; there are hard, agnostic"):
        hpo.sweep("best.pt", data=tiny, kinds=["nice"])
