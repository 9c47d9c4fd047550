"""Weights that are given by name and can't be had: the answer names them, where they were looked for, what to do."""

from __future__ import annotations

import json
from pathlib import Path

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training import probe


def test_weights_that_can_not_be_had_are_told_with_the_places_and_the_way_out(
    launcher: ForkserverLauncher, tmp_path: Path
) -> None:
    request = json.dumps({"model": "nobody-has-me.pt", "weights_folder": str(tmp_path / "weights")})
    said = json.loads(launcher.call(probe.main, request, 300))["error"]
    assert f"put the file at {tmp_path / 'weights' / 'nobody-has-me.pt'}" in said
    assert "beside the study file" in said
    assert "download" in said
    assert "model: /path/to/nobody-has-me.pt" in said
