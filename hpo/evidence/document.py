"""The verdict as it is stored and shown: one document, with a JSON form that does not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class VerdictClaim(StrEnum):
    """What is claimed of the winner."""

    BEATS = "beats"
    WORSE = "worse"
    NONE = "no difference"


@dataclass(frozen=True)
class Bounds:
    """A two-sided 95% interval of a difference."""

    low: float
    high: float


@dataclass(frozen=True)
class GainParts:
    """The difference, split without a rest."""

    training: float
    """What the weights gain, both at Ultralytics' defaults."""
    operating_point: float
    """What the setting gains, on the winner's weights."""


@dataclass(frozen=True)
class Candidate:
    """A trial of the search that was trained again."""

    trial: int
    mean_on_val: float


@dataclass(frozen=True)
class WithoutCopies:
    """The same comparison without the images that are copies of others; its numbers are those of the verdict."""

    copies: int
    """Images of the split that were left out: images of train or val too, or there more than once."""
    images: int
    """Images that stay."""
    claim: VerdictClaim | None
    """None, like the numbers, where no image that stays has a label."""
    difference: float | None
    low: float | None
    high: float | None
    sentence: str


@dataclass(frozen=True)
class VerdictDocument:
    """What a confirmation came to. Differences are in the metric's own unit, 0 to 1.

    Its fields are the keys of the JSON form, in their order.
    """

    claim: VerdictClaim
    difference: float
    low: float
    """Lower bound of Dunnett's two-sided 95% interval, simultaneous over all candidates."""
    high: float
    seeds: int
    """Trainings of the winner."""
    winner: int
    """Number of a trial of the search."""
    metric: str
    """As people call it: ``mAP50-95``."""
    baseline: float
    """Mean of the baseline over its seeds."""
    images: Bounds
    """The same difference over images."""
    gain: GainParts
    sd: float
    """Between seeds of one configuration, pooled over all groups."""
    detectable: float
    """The smallest true difference that had a chance of 80% to be proven."""
    needed: int | None
    """Seeds that would prove the observed difference; None where it is not above 0 or would take too many."""
    candidates: tuple[Candidate, ...]
    left_out: Mapping[str, str]
    """Number of a candidate that has no value for one of its seeds -> why."""
    split: str
    """Where it was measured."""
    look: int
    """Which look at this split of this data it was."""
    within_noise: int
    """Other trials of the search within ``sd`` of its best."""
    sentence: str
    without_copies: WithoutCopies | None = None
    """None where no image is a copy, and in verdicts of older versions."""

    def to_dict(self) -> dict[str, Any]:
        """Give the documented JSON form.

        Returns:
            The fields by name, with plain values; without ``without_copies`` where that is None.
        """
        told = {**asdict(self), "claim": self.claim.value, "candidates": [asdict(each) for each in self.candidates]}
        if self.without_copies is None:  # documents of older versions stay as they are
            del told["without_copies"]
        return told

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> VerdictDocument:
        """Read the JSON form; further keys are left alone.

        Args:
            raw: What ``to_dict`` gave.

        Returns:
            The verdict.
        """
        known = {name: raw[name] for name in VerdictDocument.__dataclass_fields__ if name != "without_copies"}
        known |= {
            "claim": VerdictClaim(raw["claim"]),
            "images": Bounds(**raw["images"]),
            "gain": GainParts(**raw["gain"]),
            "without_copies": _without(raw.get("without_copies")),
        }
        return VerdictDocument(**{**known, "candidates": tuple(Candidate(**each) for each in raw["candidates"])})


def _without(raw: Mapping[str, Any] | None) -> WithoutCopies | None:
    if raw is None:
        return None
    return WithoutCopies(**{**raw, "claim": None if raw["claim"] is None else VerdictClaim(raw["claim"])})
