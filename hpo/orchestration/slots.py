"""The slots of a worker: on which device the next trial is trained, and beside how many others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpo.orchestration.memory_admission import MemoryAdmission
from hpo.study.records import Exclusive, Proposal
from hpo.study.session.peaks import Load


@dataclass(frozen=True)
class _Busy:
    thread: threading.Thread
    load: Load
    exclusive: Exclusive


class Slots:
    """A map from slot number to trial. It is for one thread, the worker's."""

    def __init__(self, devices: Sequence[str], memory: MemoryAdmission | None = None) -> None:
        """Make slots on ``devices``, one for each entry.

        With ``memory`` there are as many slots as memory admission allows, at least one on each device; new slots go
        round ``devices`` in order.
        """
        self.devices = list(devices)
        self._round = tuple(dict.fromkeys(devices))
        self._memory = memory
        self._busy: dict[int, _Busy] = {}
        self._held: tuple[Proposal, int] | None = None
        """A trial that waits until it has its device, or its machine, to itself, and its slot."""

    def threads(self) -> list[threading.Thread]:
        return [busy.thread for busy in self._busy.values()]

    def tidy(self) -> None:
        """Free the slots of trials that have ended."""
        self._busy = {slot: busy for slot, busy in self._busy.items() if busy.thread.is_alive()}

    def free(self) -> int | None:
        """Return a slot that may take a trial now, on the device with the fewest trials; None while there is none."""
        count = len(self.devices) + (0 if self._memory is None else len(self._round))
        free = [slot for slot in range(count) if slot not in self._busy and self._takes(self._device(slot))]
        return min(free, key=lambda slot: (len(self._on(self._device(slot))), slot), default=None)

    def hold(self, proposal: Proposal, slot: int) -> bool:
        """Return whether ``proposal`` has to wait until others end. Meanwhile nothing new begins beside it."""
        if not self._disturbs(proposal.exclusive, slot):
            return False
        self._held = proposal, slot
        return True

    def ready(self) -> tuple[Proposal, int] | None:
        """Return the held trial and its slot once no other trial disturbs it. It is then held no longer."""
        held = self._held
        if held is None or self._disturbs(held[0].exclusive, held[1]):
            return None
        self._held = None
        return held

    def given_up(self) -> Proposal | None:
        """Return the held trial, which will not begin here."""
        held, self._held = self._held, None
        return None if held is None else held[0]

    def enter(self, slot: int, train: Callable[[], None], exclusive: Exclusive, load: Load) -> None:
        """Start ``train`` in a thread of the slot's own."""
        while slot >= len(self.devices):
            self.devices += self._round
        thread = threading.Thread(target=train, name=f"slot-{slot}")
        self._busy[slot] = _Busy(thread, load, exclusive)
        thread.start()

    def _device(self, slot: int) -> str:
        return self.devices[slot] if slot < len(self.devices) else self._round[slot - len(self.devices)]

    def _on(self, device: str) -> list[_Busy]:
        return [busy for slot, busy in self._busy.items() if self._device(slot) == device]

    def _takes(self, device: str) -> bool:
        here, held = self._on(device), self._held
        if any(busy.exclusive for busy in here) or Exclusive.MACHINE in [
            each.exclusive for each in self._busy.values()
        ]:
            return False
        if held is not None and (held[0].exclusive is Exclusive.MACHINE or self._device(held[1]) == device):
            return False
        if not here or self._memory is None:
            return True
        return self._memory.fits(device, [busy.load for busy in here], len(self._busy))

    def _disturbs(self, exclusive: Exclusive, slot: int) -> bool:
        match exclusive:
            case Exclusive.NOTHING:
                return False
            case Exclusive.DEVICE:
                return bool(self._on(self._device(slot)))
            case Exclusive.MACHINE:
                return bool(self._busy)
