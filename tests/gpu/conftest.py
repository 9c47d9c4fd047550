"""Tests that need a GPU. Each takes the whole device: `make test-gpu` runs them one after the other."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT

HOG = [sys.executable, "-m", "tests.gpu.hog"]
MIB = 2**20


@pytest.fixture(scope="session", autouse=True)
def gpu() -> str:
    """Return the name of the first GPU; without a GPU every test here is skipped."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU that torch can use, or the tests beside these run too, on the CPU: make test-gpu")
    return torch.cuda.get_device_name(0)


@contextmanager
def crowded(left_mib: float) -> Iterator[None]:
    """Start another process that holds all of the GPU's memory except ``left_mib`` MiB."""
    hog = subprocess.Popen([*HOG, str(left_mib)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert hog.stdout is not None
        assert hog.stdout.readline() == "holding\n"
        yield
    finally:
        hog.kill()
        hog.wait()
        time.sleep(1)  # the driver gives memory back a little later


@dataclass
class Watch:
    """Memory in use on the first GPU while the block runs, in MiB, sampled at 50 Hz."""

    before_mib: float = 0.0
    most_mib: float = 0.0
    processes: set[int] = field(default_factory=set)
    """Descendants of this process that held memory of the GPU."""
    most_at_once: int = 0
    """Number of these processes."""
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def taken_mib(self) -> float:
        return self.most_mib - self.before_mib

    def __enter__(self) -> Watch:
        self.before_mib = self.most_mib = self._used()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(0.02):
            self.most_mib = max(self.most_mib, self._used())
            ours = {child.pid for child in psutil.Process().children(recursive=True)}
            holding = ours & {each.pid for each in _nvml().nvmlDeviceGetComputeRunningProcesses(self._handle)}
            self.processes |= holding
            self.most_at_once = max(self.most_at_once, len(holding))

    def _used(self) -> float:
        return float(_nvml().nvmlDeviceGetMemoryInfo(self._handle).used) / MIB

    @property
    def _handle(self) -> Any:
        return _nvml().nvmlDeviceGetHandleByIndex(0)


def _nvml() -> Any:
    import pynvml

    pynvml.nvmlInit()
    return pynvml


@pytest.fixture
def watch() -> Callable[[], Watch]:
    return Watch
