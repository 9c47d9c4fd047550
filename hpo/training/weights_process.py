"""A process that inspects weights: ``python -m hpo.training.weights_process TASK REQUEST`` (a JSON object).

It writes JSON objects to stdout, one on each line: {done, images} as it goes, and at the end {result} or {error,
exit_code}. What libraries print goes to stderr. A caller so never imports torch.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpo.errors import HpoError
from hpo.settings import Settings

Progress = Callable[[int, int], None]


def main() -> int:
    """Run the task; return the exit code."""
    with os.fdopen(os.dup(1), "w") as said:
        os.dup2(2, 1)

        def say(line: dict[str, Any]) -> None:
            said.write(json.dumps(line) + "\n")
            said.flush()

        try:
            task, request = TASKS[sys.argv[1]], json.loads(sys.argv[2])
            say({"result": task(request, lambda done, images: say({"done": done, "images": images}))})
        except HpoError as error:
            say({"error": str(error), "exit_code": error.exit_code})
            return error.exit_code
        except Exception as error:  # noqa: BLE001  (whatever a library raises is the answer; the trace goes to the log)
            traceback.print_exception(error)
            say({"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:600], "exit_code": 1})
            return 1
    return 0


def _predict(asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Put predictions into the cache, where ``captured`` finds them without torch."""
    from hpo.training.measuring.predictions import PredictionsRequest, captured

    settings = Settings(Path(asked["home"]), "", "", None)
    wanted = PredictionsRequest(Path(asked["weights"]), Path(asked["data"]), asked["split"], device=asked["device"])
    predictions, imgsz = captured(wanted, settings, keep=asked["keep"], progress=progress)
    return {"images": len(predictions), "imgsz": imgsz}


def _check(asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from hpo.training.measuring.verifying import verify

    settings = Settings(Path(asked["home"]), "", "", None)
    return verify(Path(asked["folder"]), asked["device"], progress, settings.cache)


def _export(asked: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    from hpo.training.exporting import export

    given = (asked["format"], int(asked["imgsz"]), asked["device"], int(asked["max_det"]))
    return {"file": export(Path(asked["weights"]), *given).name}


TASKS: dict[str, Callable[[dict[str, Any], Progress], dict[str, Any]]] = {
    "predict": _predict,
    "check": _check,
    "export": _export,
}

if __name__ == "__main__":
    sys.exit(main())
