"""The composition root: which parts work together. Heavy libraries load here, late."""

from hpo.wiring.machine import Offer, devices, versions
from hpo.wiring.opening import LocalStudy, joined, opened
from hpo.wiring.projecting import checkpoint_store, projector
from hpo.wiring.promoting import Promotion, bench, promotion
from hpo.wiring.sweeping import SweepRequest, Swept, sweep

__all__ = [
    "LocalStudy",
    "Offer",
    "Promotion",
    "SweepRequest",
    "Swept",
    "bench",
    "checkpoint_store",
    "devices",
    "joined",
    "opened",
    "projector",
    "promotion",
    "sweep",
    "versions",
]
