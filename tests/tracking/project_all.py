"""Projects trials one after the other and prints each number: a process for tests to kill."""

from __future__ import annotations

import sys
from pathlib import Path

from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Reason
from tests.tracking.support import make_rows, settings_in


def main(home: Path, trials: int) -> None:
    rows = make_rows([Reason.COMPLETE] * trials, epochs=30)
    projector = Projector(settings_in(home), rows.study, rows)
    for number in range(trials):
        projector.trial(number)
        print(number, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
