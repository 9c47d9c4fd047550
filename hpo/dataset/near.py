"""Near copies of images: pictures that show the same, by small grey pictures of them.

Candidates have near hashes (pHash: the signs of a picture's lowest cosines); two pictures are near copies where their
pixels agree, as they are or with a little cut off the edges of one. So an image that was saved anew, resized,
brightened or slightly cropped is found; a mirrored or turned one is not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
ALIKE = 0.95
"""Correlation of the pixels of two pictures from which they are near copies."""
_MAYBE = 0.5
"""Correlation below which no cut makes near copies of two pictures."""
_FAR = 19
"""Number of different bits of two hashes, of 64, from which pictures are not compared."""
_NEAREST = 3
"""Number of others that a picture is compared with: those of the nearest hashes."""
_PLAIN = 4.0
"""Standard deviation of grey values (0 to 255) below which a picture shows too little to be told from others."""
_CUTS = ((0.0, 0.0), (0.025, 0.025), (0.05, 0.05), (0.05, 0.0), (0.0, 0.05))
"""Shares of a side that are cut off at its two ends."""
_LOWEST = 8
"""Cosines in each direction that a hash is of."""
_BLOCK = 256


@dataclass(frozen=True)
class Pictures:
    """N pictures that show something."""

    indices: NDArray[np.intp]
    """(N,) which of the given pictures each one is."""
    pixels: NDArray[np.uint8]
    """(N, side, side) grey values."""
    hashes: NDArray[np.uint64]
    """(N,)"""

    @staticmethod
    def of(small: Sequence[bytes], side: int) -> Pictures:
        """Take small pictures, ``side`` x ``side`` grey pixels row by row; empty ones, and plain ones, are left out."""
        given = np.flatnonzero([len(each) == side * side for each in small])
        joined = b"".join(small[index] for index in given.tolist())
        pixels = np.frombuffer(joined, np.uint8).reshape(-1, side, side)
        blocks = np.split(pixels, range(_BLOCK, len(pixels), _BLOCK))  # as floats all of them take a gigabyte
        shows = np.concatenate([block.std((1, 2), np.float32) for block in blocks]) >= _PLAIN
        hashes = np.concatenate([_hashes(block.astype(np.float32)) for block in blocks])
        return Pictures(given[shows], pixels[shows], hashes[shows])

    def copies(self, others: Pictures, *, earlier: bool = False) -> Iterator[tuple[int, int]]:
        """Yield (index, index of the one of ``others`` that it is a near copy of); with ``earlier``, of those before
        it.
        """
        for start in range(0, len(self.indices), _BLOCK):
            block = np.arange(start, min(start + _BLOCK, len(self.indices)))
            ours, theirs = _candidates(self.hashes[block], others.hashes, block if earlier else None)
            agreement = _agreement(_standardised(self.pixels[block[ours]]), _standardised(others.pixels[theirs]))
            best = np.lexsort((-agreement, ours))
            _, first = np.unique(ours[best], return_index=True)
            for at in best[first][agreement[best[first]] >= ALIKE]:
                yield int(self.indices[block[ours[at]]]), int(others.indices[theirs[at]])


def _candidates(
    ours: NDArray[np.uint64], theirs: NDArray[np.uint64], before: NDArray[np.intp] | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return positions of hashes that are near each other; with ``before``, only of ``theirs`` before this position."""
    distances = np.bitwise_count(ours[:, None] ^ theirs[None])
    if before is not None:
        distances[np.arange(len(theirs))[None] >= before[:, None]] = 64
    found: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = [(np.empty(0, np.intp), np.empty(0, np.intp))]
    rows = np.arange(len(ours))
    for _ in range(min(_NEAREST, len(theirs))):
        nearest = distances.argmin(axis=1)
        near = distances[rows, nearest] < _FAR
        found.append((rows[near], nearest[near]))
        distances[rows, nearest] = 64
    return np.concatenate([own for own, _ in found]), np.concatenate([other for _, other in found])


def _agreement(ours: Pixels, theirs: Pixels) -> NDArray[np.float32]:
    """Return the largest correlation of each pair, over all cuts of one of its pictures."""
    agreement: NDArray[np.float32] = _correlation(ours, theirs)
    unclear = np.flatnonzero((agreement >= _MAYBE) & (agreement < ALIKE))
    cuts = [_cut(ours.shape[-1], *shares) for shares in _CUTS]
    for rows, columns in itertools.product(cuts, repeat=2):
        for one, other in ((ours, theirs), (theirs, ours)):
            cut = _standardised(rows @ other[unclear] @ columns.T)
            agreement[unclear] = np.maximum(agreement[unclear], _correlation(one[unclear], cut))
    return agreement


def _cut(side: int, before: float, after: float) -> Pixels:
    """Return the (side, side) matrix that stretches what is left of a side, by linear interpolation."""
    places = np.clip((before + (np.arange(side) + 0.5) / side * (1 - before - after)) * side - 0.5, 0, side - 1)
    lower = np.minimum(places.astype(np.intp), side - 2)
    matrix = np.zeros((side, side), np.float32)
    matrix[np.arange(side), lower] = lower + 1 - places
    matrix[np.arange(side), lower + 1] += places - lower
    return matrix


def _correlation(ours: Pixels, theirs: Pixels) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.einsum("nij,nij->n", ours, theirs)
    return found


def _standardised(pixels: NDArray[Any]) -> Pixels:
    """Return pixels of zero mean and unit norm."""
    centred = pixels - pixels.mean((1, 2), np.float32, keepdims=True)
    found: Pixels = centred / np.maximum(np.sqrt((centred**2).sum((1, 2), keepdims=True)), 1e-6)
    return found


def _hashes(pixels: Pixels) -> NDArray[np.uint64]:
    side = pixels.shape[-1]
    cosines = np.cos(np.pi * (2 * np.arange(side) + 1) * np.arange(_LOWEST)[:, None] / (2 * side)).astype(np.float32)
    lowest = (cosines @ pixels @ cosines.T).reshape(len(pixels), _LOWEST**2)
    lowest[:, 0] = 0  # the mean, which brightness changes
    bits: NDArray[np.uint64] = np.packbits(lowest > np.median(lowest, axis=1, keepdims=True), axis=1).view(np.uint64)
    return bits[:, 0]
