"""Images that are there more than once: of the same content, or near copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hpo.dataset.decoding import SMALL_PX, Decoded
from hpo.dataset.description import DataLook


@dataclass(frozen=True)
class Copy:
    """An image that is there once more: earlier in its split, or in a split before it."""

    split: str
    image: str
    """Absolute path."""
    of_split: str
    of: str
    """Absolute path of the other image."""
    exact: bool
    """Whether both files have the same content."""


_Splits = Mapping[str, Sequence[str]]
"""Absolute paths of the images of each split, each once: train, val, test."""


def find(look: DataLook) -> list[Copy]:
    """Return all copies among the images that are used: exact ones first, and near ones where images were decoded."""
    used = look.used
    exact = list(_exact(used, look.contents.images))
    known = {(each.image, each.of_split) for each in exact}
    near = _near(used, look.decoded) if look.decoded else ()
    return [*exact, *(each for each in near if (each.image, each.of_split) not in known)]


def _exact(splits: _Splits, contents: Mapping[str, bytes]) -> Iterator[Copy]:
    """Yield images with the content (sha256 by path) of an earlier one."""
    first: dict[tuple[str, bytes], str] = {}
    names = list(splits)
    for index, split in enumerate(names):
        for image in splits[split]:
            sha256 = contents[image]
            for earlier in names[: index + 1]:
                if (earlier, sha256) in first:
                    yield Copy(split, image, earlier, first[earlier, sha256], exact=True)
            first.setdefault((split, sha256), image)


def _near(splits: _Splits, decoded: Mapping[str, Decoded]) -> Iterator[Copy]:
    """Yield near copies of images of earlier splits and, within val and test, of earlier images.

    Within train they are not looked for: pictures of one film teach little, but make no number better than it is.
    """
    from hpo.dataset.near import Pictures

    shown = {
        split: Pictures.of([decoded[image].small for image in images], SMALL_PX) for split, images in splits.items()
    }
    names = list(splits)
    for index, split in enumerate(names[1:], start=1):
        for earlier in names[: index + 1]:
            for ours, theirs in shown[split].copies(shown[earlier], earlier=earlier == split):
                yield Copy(split, splits[split][ours], earlier, splits[earlier][theirs], exact=False)
