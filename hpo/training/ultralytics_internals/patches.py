"""Changes to stock Ultralytics 8.4.190 in a trial's process; none of them changes a result."""

from __future__ import annotations

import functools
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import ultralytics.data.build
import ultralytics.engine.trainer
import ultralytics.utils.nms
import ultralytics.utils.torch_utils

from hpo.training.ultralytics_internals import local_paths, reading

NO_TIME_LIMIT_S = 1e9


def apply(threads: int, cache: Path | None = None) -> None:
    """Apply the changes. ``threads``: torch's threads (Ultralytics takes all cores but one and ignores cgroups).

    ``cache``: folder for what is kept of the data's files; None keeps nothing.
    """
    local_paths.allow_any_folder()
    reading.leave_data_alone(cache)
    ultralytics.utils.torch_utils.NUM_THREADS = threads
    ultralytics.engine.trainer.check_amp = amp_is_safe
    ultralytics.data.build.InfiniteDataLoader.__del__ = close_loader
    # NMS stops after 2 s + 0.05 s an image and silently drops the rest: a result must not depend on the clock.
    ultralytics.utils.nms.non_max_suppression = functools.partial(
        ultralytics.utils.nms.non_max_suppression, max_time_img=NO_TIME_LIMIT_S
    )


def threads_per_trial(sharing: int = 1) -> int:
    """Return the threads of a trial: as Ultralytics counts (all but one, at most 8), over the cores of this process.

    Of ``sharing`` trials at a time each takes its share, since threads that wait for each other spin.
    """
    return min(8, max(1, (len(os.sched_getaffinity(0)) - 1) // sharing))


def loaders_per_trial(sharing: int) -> int:
    """Return the number of processes that load images, as Ultralytics counts them (one for each core, at most 8).

    ``sharing`` trials at a time share the cores. (Ultralytics validates with twice as many.)
    """
    return min(8, math.ceil(len(os.sched_getaffinity(0)) / sharing))


def close_loader(loader: Any) -> None:
    """Close a loader that is no longer used: its processes are asked to end, and those that don't are killed.

    Ultralytics ends them by a signal first. Here that signal is SIGKILL (``child``), and torch raises an error for a
    process that was killed before torch expects its end.
    """
    with suppress(Exception):  # as Ultralytics does: this may run while the interpreter ends
        loader.close()


def amp_is_safe(model: Any) -> bool:
    """Check AMP as Ultralytics does, without its download of a model: only GPUs that it lists as broken are refused."""
    device = next(model.parameters()).device
    if device.type != "cuda":
        return False
    import re

    import torch

    # The list of ultralytics/utils/checks.py:1008: NVIDIA's Turing without tensor cores gives NaN in half precision.
    broken = r"(nvidia|geforce|quadro|tesla).*?(1660|1650|1630|t400|t550|t600|t1000|t1200|t2000|k40m)"
    return re.search(broken, torch.cuda.get_device_name(device), re.IGNORECASE) is None
