"""Text of a stored verdict."""

from __future__ import annotations

from hpo.evidence.document import VerdictDocument
from hpo.evidence.verdict import points


def lines(told: VerdictDocument) -> list[str]:
    """Return lines for a terminal; the sentence is the last one."""
    look = f", look {told.look} at this split" if told.split == "test" else ""
    return [
        f"winner   trial {told.winner}, compared with the defaults on {told.split}{look}",
        f"noise    {_noise(told)}",
        f"images   {_images(told)}",
        *(f"left out {one}" for one in _left_out(told)),
        *(f"new      {one}" for one in _without_copies(told)),
        f"gain     {_gain(told)}",
        told.sentence,
    ]


def paragraph(told: VerdictDocument) -> tuple[str, ...]:
    """Return sentences for a report; the verdict comes first."""
    return (
        f"Trial {told.winner} {told.sentence}.",
        *(f"On the new images of {told.split} alone, {one}." for one in _without_copies(told)),
        f"Measured on {told.split}. Gain: {_gain(told)}.",
        f"Over images: {_images(told)}. Noise: {_noise(told)}.",
        *(f"Left out: {one}." for one in _left_out(told)),
    )


def _gain(told: VerdictDocument) -> str:
    training, setting = _signed(told.gain.training), _signed(told.gain.operating_point)
    return f"{_signed(told.difference)} points: training {training}, operating point {setting}"


def _noise(told: VerdictDocument) -> str:
    (sd,) = points(told.sd)
    return f"{sd} points between seeds; {told.within_noise} other trials of the search lie within it of its best"


def _images(told: VerdictDocument) -> str:
    low, high = _signed(told.images.low), _signed(told.images.high)
    return f"95% interval {low} to {high} points over images (paired bootstrap)"


def _without_copies(told: VerdictDocument) -> list[str]:
    """Return what the verdict is without the images that are copies of others; nothing where none is."""
    found = told.without_copies
    if found is None:
        return []
    count = f"{found.copies} image{'s are copies' if found.copies > 1 else ' is a copy'}"
    return [f"{count} of images that are known, {found.images} stay: {found.sentence}"]


def _left_out(told: VerdictDocument) -> list[str]:
    return [f"trial {number}: {why}" for number, why in told.left_out.items()]


def _signed(value: float) -> str:
    (text,) = points(value)
    return text if text.startswith("-") or not value else f"+{text}"
