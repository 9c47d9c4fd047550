"""How every compiled function of this package is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Machine code at the first call, kept on disk for the next process; it runs without the GIL.

    Divisions by zero give NaN or infinity as in NumPy. No fast-math: results are those of IEEE arithmetic in the order
    written, which is what bit-for-bit agreement with torchvision rests on.
    """
    jitted: Function = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return jitted
