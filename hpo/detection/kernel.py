"""How every compiled function of this package is compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numba

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function to machine code at its first call; the code is kept on disk for the next process.

    It runs without the GIL. Divisions by zero give NaN or infinity as in NumPy. No fast-math: results are those of IEEE
    arithmetic in the order written, which is what bit-for-bit agreement with torchvision rests on.

    Args:
        function: A function of arrays, numbers and tuples of them, as numba's ``njit`` takes it.

    Returns:
        The compiled function, called in the same way.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        jitted: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba finds no folder that it may write to: each process compiles for itself
        log.warning("kernel.not_cached: set NUMBA_CACHE_DIR to a folder that can be written to")
        jitted = numba.njit(**options)(function)
    return jitted
