"""The most memory that this process has taken so far."""

from __future__ import annotations

import resource
from typing import Any

CONTEXT_MIB = 600.0
"""Of a CUDA context and the libraries' kernels, which torch's allocator does not count; an estimate."""


def peak_mib(device: Any) -> float:
    """On a GPU what torch's allocator has held of it at once, and the context; on a CPU the resident memory, with what
    is shared with the forkserver. ``device``: torch's."""
    if device.type == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    import torch

    return float(torch.cuda.max_memory_reserved(device)) / 2**20 + CONTEXT_MIB
