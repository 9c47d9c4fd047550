"""The files of a sweep: its result, the setting to use, and a picture; the same for a trial and for ``hpo sweep``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hpo import files
from hpo.studyfile.text.ultralytics_yaml import predict_arguments, write_arguments
from hpo.trial import wording
from hpo.trial.operating_point import SweepResult

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions


def write(
    result: SweepResult, predictions: Predictions, folder: Path, *, title: str, weights: Path, imgsz: int
) -> list[Path]:
    """Write ``operating_point.json``, ``predict.yaml`` and ``sweep.png`` into ``folder``; return the files written.

    ``predict.yaml`` holds the recommended setting. Where ``yolo predict`` can't apply it, there is none (an earlier one
    is removed), and ``hpo.deploy`` takes the JSON. ``title``: one line for a person; ``imgsz`` is in pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings, predict, plot = folder / "operating_point.json", folder / "predict.yaml", folder / "sweep.png"
    files.write_text(settings, json.dumps({**result.to_dict(), "imgsz": imgsz}, indent=2) + "\n")
    written = [settings, plot]
    if result.recommended_point.is_plain:
        comment = f"{title}, {result.recommended} setting\n{wording.gain(result)}"
        write_arguments(predict, comment, predict_arguments(weights, imgsz, result.recommended_point))
        written.append(predict)
    else:
        predict.unlink(missing_ok=True)
    from hpo.training.measuring.sweep_plots import write_plots

    write_plots(result, predictions, plot)
    return written
