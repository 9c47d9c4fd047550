"""A process that obeys signals as a worker does: ``python -m tests.orchestration.obedient FILE``.

It works until a stop is asked, and then writes how often it was asked into FILE, which is the last thing that it does.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from hpo.orchestration.stop import StopRequest, on_signals

if __name__ == "__main__":
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    with on_signals(StopRequest()) as stop:
        print("ready", "nohup" if ignored else "", flush=True)  # noqa: T201
        while not stop.soon:
            time.sleep(0.01)
        time.sleep(0.3)  # what a shell or a scheduler sends at the same moment arrives too
        print("giving back", flush=True)  # noqa: T201  (a closed terminal may not end it here)
        Path(sys.argv[1]).write_text(f"{stop.asked} {stop.exit_code}")
