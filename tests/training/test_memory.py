"""A process's GPU memory outside torch's allocator, as the driver reports it (tests/gpu uses a real driver)."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from hpo.training import memory

MIB = memory.MIB


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Set the processes that NVML reports; in this process, torch's allocator holds 100 MiB."""
    import pynvml
    import torch

    told: list[Any] = []
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda _uuid: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", lambda _handle: told)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: SimpleNamespace(uuid="0"))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _device: 100 * MIB)
    return told


def process(pid: int, mib: int | None) -> Any:
    return SimpleNamespace(pid=pid, usedGpuMemory=None if mib is None else mib * MIB)


def test_it_is_what_the_driver_says_of_this_process_less_what_torch_holds(driver: list[Any]) -> None:
    driver += [process(os.getpid() + 1, 9000), process(os.getpid(), 550)]
    assert memory.context_mib(None) == 450


@pytest.mark.parametrize("told", [[], [process(os.getpid(), None)], [process(-1, 9000)]])
def test_it_is_an_estimate_where_the_driver_does_not_know_the_process(driver: list[Any], told: list[Any]) -> None:
    driver += told
    assert memory.context_mib(None) == memory.CONTEXT_MIB


def test_it_is_an_estimate_without_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    def fail() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert memory.context_mib(None) == memory.CONTEXT_MIB
