"""What the owner of a dataset should know of its files, file by file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hpo.dataset import copies
from hpo.dataset.copies import Copy
from hpo.dataset.decoders import Progress
from hpo.dataset.decoding import Mark
from hpo.dataset.description import DataLook, look_at
from hpo.dataset.images import label_of
from hpo.dataset.summary import DatasetSummary, LeftOut

_MOST_NAMED = 10


class Kind(StrEnum):
    """Kinds of findings, in the order in which they are told."""

    LEFT_OUT = "left out"
    LEAK = "leak"
    NEAR_LEAK = "near leak"
    DUPLICATE = "duplicate"
    NEAR_COPY = "near copy"
    DAMAGED = "damaged"
    REPAIRED = "repaired"
    REPEATED = "repeated labels"
    OUTSIDE = "labels outside"
    ROTATED = "rotated"
    SIXTEEN_BIT = "16-bit"
    CMYK = "CMYK"
    ANIMATED = "animated"

    @property
    def meaning(self) -> str:
        """Return what it means for a training."""
        return _MEANINGS[self]


_MEANINGS = {
    Kind.LEFT_OUT: "Ultralytics can't use the image; no count has it",
    Kind.LEAK: "the same image is in a split that val or test must not know",
    Kind.DUPLICATE: "the same image is in the split once more, and counts twice",
    Kind.NEAR_LEAK: "almost the same picture is in a split that val or test must not know; look at both",
    Kind.NEAR_COPY: "almost the same picture is in the split once more; look at both",
    Kind.DAMAGED: "the image decodes in part only, and is used so",
    Kind.REPAIRED: "the JPEG has no end mark; a training uses it as Ultralytics would save it anew, your file stays",
    Kind.REPEATED: "rows of the label file that are there already are dropped",
    Kind.OUTSIDE: "boxes that reach beyond the image are cut at its edge in a training",
    Kind.ROTATED: "EXIF turns the image; labels must be of the image as it is displayed",
    Kind.SIXTEEN_BIT: "only the upper 8 bits of a pixel are used",
    Kind.CMYK: "the colours are converted",
    Kind.ANIMATED: "only the first picture is used",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found of one file."""

    kind: Kind
    split: str
    file: str
    """Path below the data's root; absolute where the file lies elsewhere."""
    detail: str = ""


@dataclass(frozen=True)
class DataCheck:
    """A dataset's summary, and all that was found."""

    summary: DatasetSummary
    findings: tuple[Finding, ...]

    def of(self, kind: Kind) -> list[Finding]:
        """Return the findings of one kind."""
        return [finding for finding in self.findings if finding.kind is kind]


def check(yaml: Path, cache: Path | None, progress: Progress) -> DataCheck:
    """Read and decode the whole dataset. Raises SpecError as ``describe`` does."""
    look = look_at(yaml, cache, decode=True, progress=progress)
    found = [
        *(Finding(Kind.LEFT_OUT, each.split, each.file, each.why) for each in look.summary.left_out),
        *(
            finding
            for split, images in look.images.items()
            for image in dict.fromkeys(images)
            for finding in _of_file(look, split, image, look.place(image))
        ),
        *(_of_copy(look, copy) for copy in copies.find(look)),
    ]
    order = list(Kind)
    return DataCheck(look.summary, tuple(sorted(found, key=lambda each: (order.index(each.kind), each.split))))


def _of_file(look: DataLook, split: str, image: str, place: str) -> Iterator[Finding]:
    if look.decoded[image].left_out:
        return
    for mark in look.decoded[image].marks:
        if mark is not Mark.UNREADABLE:
            yield Finding(Kind(mark.value), split, place)
    if label_of(image) in look.contents.labels:
        facts = look.contents.labels[label_of(image)][1]
        if facts.repeated:
            yield Finding(Kind.REPEATED, split, place, f"{facts.repeated} of its labels")
        if facts.outside:
            yield Finding(Kind.OUTSIDE, split, place, f"{facts.outside} of its labels")


def _of_copy(look: DataLook, copy: Copy) -> Finding:
    if copy.split == copy.of_split:
        kind, where = Kind.DUPLICATE if copy.exact else Kind.NEAR_COPY, ""
    else:
        kind, where = Kind.LEAK if copy.exact else Kind.NEAR_LEAK, f"{copy.of_split}: "
    return Finding(kind, copy.split, look.place(copy.image), where + look.place(copy.of))


def summed_up(findings: Iterable[Finding]) -> list[str]:
    """Return a line for each kind, with the first files; those of ``LEFT_OUT`` are told by ``left_out``."""
    listed = list(findings)
    return [
        f"{kind}: {_named([each.file for each in listed if each.kind is kind])} ({kind.meaning})"
        for kind in Kind
        if kind is not Kind.LEFT_OUT and any(each.kind is kind for each in listed)
    ]


def left_out(images: Sequence[LeftOut]) -> list[str]:
    """Return lines about images that Ultralytics leaves out, the first ones by name."""
    if not images:
        return []
    count = f"{len(images)} image{'s' if len(images) > 1 else ''}"
    lines = [f"{count} can't be used, and Ultralytics leaves them out (no count has them):"]
    lines += [f"  {each.split}: {each.file}: {each.why}" for each in images[:_MOST_NAMED]]
    return lines + ([f"  and {len(images) - _MOST_NAMED} more"] if len(images) > _MOST_NAMED else [])


def _named(files: Sequence[str]) -> str:
    rest = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"{len(files)} image{'s' if len(files) > 1 else ''}, {', '.join(files[:3])}{rest}"
