"""The composition root: it connects the packages. Heavy libraries load here, late."""

from hpo.wiring.machine import SlotRequest, devices, versions
from hpo.wiring.opening import LocalStudy, joined, opened
from hpo.wiring.projecting import checkpoint_store, projector
from hpo.wiring.promoting import Promotion, promotion, weights_process
from hpo.wiring.sweeping import SweepRequest, Swept, sweep

__all__ = [
    "LocalStudy",
    "Promotion",
    "SlotRequest",
    "SweepRequest",
    "Swept",
    "checkpoint_store",
    "devices",
    "joined",
    "opened",
    "projector",
    "promotion",
    "sweep",
    "versions",
    "weights_process",
]
