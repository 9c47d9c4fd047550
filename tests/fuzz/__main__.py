"""`make fuzz`: inputs for so many seconds; a finding is shrunk, printed, and kept in a file for ``test_fuzz``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.targets import TARGETS, Hang, prepared, watched

BATCH = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--target", choices=TARGETS, action="append")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    ends, number, found, tried = time.monotonic() + asked.seconds, asked.seed, 0, 0
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder)):
        while time.monotonic() < ends:
            for name in asked.target or TARGETS:
                found += _batch(name, number)
                tried += BATCH
            number += 1
    print(f"{tried} inputs from seed {asked.seed}: {found} findings")  # noqa: T201
    return min(found, 1)


def _batch(name: str, number: int) -> int:
    """Try a batch of inputs on a target; return the number of findings, 0 or 1."""
    strategy, read = TARGETS[name]

    @seed(number)
    @settings(max_examples=BATCH, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def run(value: object) -> None:
        last.append(value)
        with watched():
            read(value)

    last: list[object] = []
    try:
        run()
    except (Exception, Hang):  # noqa: BLE001  (whatever it is, it is a finding)
        sys.stderr.write(f"{name} (seed {number}):\n{traceback.format_exc()[-3000:]}\nkeep: {name!r}: {last[-1]!r}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
