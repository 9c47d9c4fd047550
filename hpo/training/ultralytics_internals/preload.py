"""Imports of the forkserver, done once, so that a trial's first batch comes 0.3 s after the request, not after 3 to 8.

No tensor operation and no CUDA call may happen here: children are forked from it. polars is left out (it starts threads
at import). Python 3.11's forkserver swallows an ImportError of a preload: ``child`` checks that this one worked.
"""
# ruff: noqa: F401

import atexit
import os
import sys

import cloudpickle
import matplotlib as mpl
import matplotlib.font_manager
import requests
import thop
import torch._inductor  # torch.use_deterministic_algorithms, which every training calls, imports it
import torch.utils.serialization
import torchvision
import ultralytics.engine.exporter
import ultralytics.utils.callbacks.platform
import ultralytics.utils.callbacks.raytune
import ultralytics.utils.events

import hpo.training.ultralytics_internals.patches
import hpo.training.ultralytics_internals.runs

mpl.rcParams["text.parse_math"] = False
"""Ultralytics' plots show names of classes, which may hold two dollar signs; its axes need no formula."""
_FORKSERVER = os.getpid() if sys.argv[:1] == ["-c"] else None
"""Process id of the forkserver; None where another process imports this module."""


def _leave_at_once() -> None:
    """Leave at once: torch takes seconds of CPU to shut down, in which a dead worker's forkserver would live on."""
    if os.getpid() == _FORKSERVER:
        os._exit(0)


atexit.register(_leave_at_once)
