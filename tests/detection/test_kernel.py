from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpo.detection.kernel import compiled
from tests.conftest import ROOT

PROGRAM = """
import numpy as np
from hpo.detection.suppression import close
close(np.ones(3, np.uint64), (0, 3), 2)
print(sum(close.stats.cache_hits.values()), sum(close.stats.cache_misses.values()))
"""


@pytest.mark.long
def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert [line.split() for line in said] == [["0", "1"], ["1", "0"]]


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    space: dict[str, Any] = {}
    exec("def twice(x):\n    return 2 * x", space)  # noqa: S102  (a function without a file has no place for a cache)
    with caplog.at_level(logging.WARNING):
        assert compiled(space["twice"])(21) == 42
    assert "NUMBA_CACHE_DIR" in caplog.text
