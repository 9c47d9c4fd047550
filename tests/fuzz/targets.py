"""What reads each kind of input, and what is a finding: a trace, a hang, too much memory."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from unittest import mock

from hypothesis import strategies as st

from hpo.cli.main import LAST_RESORT, answer
from hpo.dataset import description
from hpo.errors import HpoError
from hpo.studyfile.loader import load
from hpo.studyfile.planning import plan, rungs
from hpo.studyfile.reading import models
from tests.fuzz import inputs

LONGEST_S = 5
"""Seconds of CPU time for one input."""
MOST_MIB = 1024
"""Growth of this process's memory, in MiB."""


class Hang(BaseException):
    """An input took too long; no handler of ours catches it."""


@contextmanager
def watched() -> Iterator[None]:
    """Raise where the block takes too long or too much memory."""

    def ring(_signum: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {LONGEST_S} s of CPU time")

    before, handler = _peak_mib(), signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)
    grown = _peak_mib() - before
    assert grown < MOST_MIB, f"{grown:.0f} MiB"


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_study(content: bytes) -> None:
    Path("fuzzed.yaml").write_bytes(content)
    with suppress(HpoError):
        loaded = load(Path("fuzzed.yaml"))
        rungs.plan(loaded.spec)
        plan.baseline(loaded.spec, nc=2, train_images=2)
        loaded.check_facts(description.describe(Path("data.yaml")), models.facts(loaded.spec.model))


def read_data(content: bytes) -> None:
    Path("fuzzed-data.yaml").write_bytes(content)
    with suppress(HpoError):
        description.describe(Path("fuzzed-data.yaml"))


def read_model(content: bytes) -> None:
    Path("model.yaml").write_bytes(content)
    with suppress(HpoError):
        models.facts(str(Path("model.yaml").absolute()))


def run_command(words: list[str]) -> None:
    said = io.StringIO()
    with (
        mock.patch.dict(os.environ),
        redirect_stdout(said),
        redirect_stderr(said),
        mock.patch.object(sys, "argv", ["hpo", *words]),
    ):
        code = answer(words)
    assert code in range(5), f"exit {code}"
    assert "Traceback" not in said.getvalue() or "--debug" in words, said.getvalue()
    assert LAST_RESORT not in said.getvalue(), said.getvalue()[-500:]


TARGETS: dict[str, tuple[st.SearchStrategy[object], Callable[..., None]]] = {
    "study": (inputs.studies, read_study),
    "data": (inputs.data_files, read_data),
    "model": (inputs.models, read_model),
    "command": (inputs.lines, run_command),
}


@contextmanager
def prepared(folder: Path) -> Iterator[None]:
    """Work in ``folder``, with files for the inputs, an empty store below it, and no terminal to ask at."""
    inputs.lay_out(folder)
    own = {"HPO_HOME": str(folder / "runs"), "HPO_STORAGE": "", "MLFLOW_TRACKING_URI": ""}
    before, stdin = Path.cwd(), sys.stdin
    os.chdir(folder)
    sys.stdin = io.StringIO()
    try:
        with mock.patch.dict(os.environ, own):
            yield
    finally:
        sys.stdin = stdin
        os.chdir(before)
