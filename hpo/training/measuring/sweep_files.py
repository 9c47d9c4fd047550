"""The files of a sweep: what it found, the setting to use, and a picture; alike for a trial and for ``hpo sweep``."""

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
    """What was swept."""

    title: str
    """One line for a person."""
    weights: Path
    imgsz: int
    """Pixels."""


def write(result: SweepResult, predictions: Predictions, source: SweepSource, folder: Path) -> list[Path]:
    """Writes ``operating_point.json``, ``predict.yaml`` and ``sweep.png`` into ``folder``; returns what was written.

    ``predict.yaml`` holds the recommended setting. Where ``yolo predict`` can't do that one, there is none (a former
    one is removed), and ``hpo.deploy`` takes the JSON.
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
