"""The peak memory of this process so far."""

from __future__ import annotations

import os
import resource
from typing import Any

CONTEXT_MIB = 600.0
"""Memory in MiB of a CUDA context and the libraries' kernels, where the driver does not say what this process holds."""
MIB = 2**20


def peak_mib(device: Any) -> float:
    """Return the peak memory in MiB.

    On a GPU it is the peak of torch's allocator, and the context; on a CPU the resident memory, including what is
    shared with the forkserver. ``device`` is torch's.
    """
    if device.type == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    import torch

    return float(torch.cuda.max_memory_reserved(device)) / MIB + context_mib(device)


def context_mib(device: Any) -> float:
    """Return the memory in MiB that this process uses on the GPU ``device`` besides torch's allocator.

    It is the context, kernels and workspaces, as NVML says, or `CONTEXT_MIB` where NVML does not know this process (in
    a container with process numbers of its own).
    """
    import pynvml
    import torch

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:
        return CONTEXT_MIB
    held = [process.usedGpuMemory for process in running if process.pid == os.getpid()]
    if not held or held[0] is None:
        return CONTEXT_MIB
    return max(0.0, float(held[0] - torch.cuda.memory_reserved(device)) / MIB)
