"""A separate process that loads weights (``hpo.training.weights_process``): this process never imports torch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any

from hpo.errors import HpoError, UsageError
from hpo.processes import python_command
from hpo.servers import tail
from hpo.settings import Settings, without_secrets
from hpo.training import environment

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions

Show = Callable[[str, int, int], None]
"""Callback that gets the current activity, the number of images done, and the number of all images."""


@dataclass(frozen=True)
class WeightsProcess:
    settings: Settings
    device: str
    log: Path
    """Log file for the output of libraries."""
    show: Show

    def predictions(self, weights: Path, data: Path, split: str, keep: int) -> Predictions:
        """Return the predictions that ``model.predict`` would make. ``keep`` is the number of cached ones that stay."""
        from hpo.training.measuring.predictions import PredictionsRequest, captured

        os.environ.update(environment.kernel_cache(self.settings.home))
        asked = {"weights": str(weights), "data": str(data), "split": split, "keep": keep}
        self.ask("predict", {**asked, "home": str(self.settings.home), "device": self.device}, f"predicting {split}")
        wanted = PredictionsRequest(weights, data, split, device=self.device)
        return captured(wanted, self.settings, keep=keep)[0]  # from the cache

    def check(self, folder: Path) -> dict[str, Any]:
        """Return the result of ``hpo.training.measuring.verifying.verify``."""
        asked = {"folder": str(folder), "home": str(self.settings.home), "device": self.device}
        return self.ask("check", asked, "checking")

    def export(self, weights: Path, form: str, imgsz: int, max_det: int) -> Path:
        """Export the weights; return the file, which lies beside ``weights``."""
        asked = {"weights": str(weights), "format": form, "imgsz": imgsz, "device": self.device, "max_det": max_det}
        return weights.with_name(self.ask("export", asked, f"exporting {form}")["file"])

    def ask(self, task: str, request: dict[str, Any], doing: str) -> dict[str, Any]:
        """Return the answer. Raises the error that the process reported, as ``UsageError`` or ``HpoError``."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        variables = without_secrets(os.environ) | environment.prepare(self.settings.home)
        command = python_command("hpo.training.weights_process", task, json.dumps(request))
        self.show(doing, 0, 0)
        with self.log.open("ab") as log, Popen(command, env=variables, stdout=PIPE, stderr=log, text=True) as process:
            answer = self._heard(process, doing)
        if "result" in answer:
            return dict(answer["result"])
        kind = UsageError if answer.get("exit_code") == UsageError.exit_code else HpoError
        raise kind(f"{doing}: {answer.get('error') or self._died(process.returncode)}")

    def _heard(self, process: Popen[str], doing: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        assert process.stdout is not None  # noqa: S101  (a pipe, see ask)
        for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                break  # the line is incomplete: the process was killed
            if "done" in said:
                self.show(doing, said["done"], said["images"])
            else:
                answer = said
        return answer

    def _died(self, code: int) -> str:
        return f"its process ended with code {code} and no answer; {self.log} ends with:\n{tail(self.log)}"
