"""Plots in a study's own run, drawn by a separate process; drawn again only after further trials have ended."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.errors import HpoError
from hpo.processes import python_command
from hpo.settings import without_secrets
from hpo.study.plots.drawing import IMPORTANCES, Drawing
from hpo.study.records import TrialRow
from hpo.studyfile.schema import StudySpec
from hpo.tracking.tags import document

PLOTS_TAG = "hpo.plots"
"""Tag of a study's run: how many ended trials its plots show, and when they were drawn (Unix time, s)."""
IMPORTANCES_TAG = "importances"
"""Tag of a study's run: JSON object, dimension -> share of the importance, largest first."""
FOLDER = "plots"
NEAR_S = 240.0
"""Seconds. While the search goes on, plots of another worker that are younger than this are not drawn again."""
_LONGEST_S = 300.0


def are_due(tags: Mapping[str, str], ended: int, *, running: bool) -> bool:
    """Return whether the plots of a run with ``tags`` show another number of ended trials and are old enough."""
    found = document(tags, PLOTS_TAG, list)
    if len(found) != 2 or not all(isinstance(number, int) for number in found):
        return True
    shown, drawn_s = found
    return bool(shown != ended and not (running and time.time() - drawn_s < NEAR_S))


def update(client: Any, run_id: str, spec: StudySpec, trials: Sequence[TrialRow]) -> dict[str, str]:
    """Draw and upload the plots if ``are_due`` and enough trials are complete; return the run's new tags, or none.

    Raises HpoError if the drawing fails or takes longer than 5 minutes.
    """
    drawing = Drawing.of(spec, trials)
    if drawing is None:
        return {}
    ended = sum(row.finished is not None for row in trials)
    if not are_due(client.get_run(run_id).data.tags, ended, running=ended < len(trials)):
        return {}
    with tempfile.TemporaryDirectory(prefix="hpo-plots-") as folder:
        _draw(drawing, Path(folder))
        importances = (Path(folder) / IMPORTANCES).read_text()
        client.log_artifacts(run_id, folder, FOLDER)
    tags = {IMPORTANCES_TAG: importances, PLOTS_TAG: json.dumps([ended, round(time.time())])}
    for name, value in tags.items():
        client.set_tag(run_id, name, value)
    return tags


def important(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return the dimensions, the most important first, from the last drawing; empty if it could not tell."""
    return tuple(document(tags, IMPORTANCES_TAG, dict))


def _draw(drawing: Drawing, folder: Path) -> None:
    command = python_command("hpo.study.plots.plots", str(folder))
    given, clean = pickle.dumps(drawing), without_secrets(os.environ)
    try:
        done = subprocess.run(command, input=given, env=clean, capture_output=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise HpoError(f"the study's plots were not drawn within {_LONGEST_S:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-500:]
        raise HpoError(f"the study's plots can't be drawn (exit {done.returncode}): {said}")
