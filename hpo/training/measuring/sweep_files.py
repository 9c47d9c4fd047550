"""The files of a sweep: its result, the setting to use, and a picture; the same for a trial and for ``hpo sweep``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpo import files
from hpo.studyfile.text.ultralytics_yaml import predict_arguments, write_arguments
from hpo.trial import wording
from hpo.trial.operating_point import SweepResult

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions

OPERATING_POINT, PREDICT, PLOT = "operating_point.json", "predict.yaml", "sweep.png"


@dataclass(frozen=True)
class SweepSource:
    """The object of a sweep."""

    title: str
    """Title for a person, one line."""
    weights: Path
    imgsz: int
    """Image size in pixels."""


def write(result: SweepResult, predictions: Predictions, source: SweepSource, folder: Path) -> list[Path]:
    """Write ``operating_point.json``, ``predict.yaml`` and ``sweep.png`` into ``folder``; return the files written.

    ``predict.yaml`` holds the recommended setting. Where ``yolo predict`` can't apply it, there is none (an earlier one
    is removed), and ``hpo.deploy`` takes the JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings, predict, plot = (folder / name for name in (OPERATING_POINT, PREDICT, PLOT))
    files.write_text(settings, json.dumps({**result.to_dict(), "imgsz": source.imgsz}, indent=2) + "\n")
    written = [settings, plot]
    if result.recommended_point.is_plain:
        title = f"{source.title}, {result.recommended} setting\n{wording.gain(result)}"
        write_arguments(predict, title, predict_arguments(source.weights, source.imgsz, result.recommended_point))
        written.append(predict)
    else:
        predict.unlink(missing_ok=True)
    from hpo.training.measuring.sweep_plots import write_plots

    write_plots(result, predictions, plot)
    return written
