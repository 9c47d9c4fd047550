"""Description of a dataset, without a framework: counts, all problems, and a fingerprint of its content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo import files
from hpo.dataset.boxes import place_of
from hpo.dataset.contents import Contents, read_contents
from hpo.dataset.decoders import Progress, decode_all
from hpo.dataset.decoding import Decoded, Mark
from hpo.dataset.images import images_of, label_of
from hpo.dataset.source import Source, read
from hpo.dataset.summary import DatasetSummary, LeftOut, SplitSummary
from hpo.errors import Problem, SpecError

_MOST_PROBLEMS = 100
"""Number of problems in files of the dataset that are listed; the rest is counted, so that 100,000 wrong labels stay
readable.
"""


_MOST_CHANNELS = 1024


def _silent(_done: int, _images: int) -> None:
    return


def describe(
    yaml: Path, cache: Path | None = None, *, decode: bool = False, progress: Progress = _silent
) -> DatasetSummary:
    """Read the data.yaml and every image and label file of its splits.

    With ``decode`` the images are decoded, too; without, the counts have those that Ultralytics leaves out.

    ``cache`` is a folder (made if need be) where the hash of each file is kept by path, size and modification time, so
    that unchanged files are not read again. The fingerprint covers the names and, for each split, every image's path
    below the split's common folder, its content and its labels' content, in order: it is the same wherever the dataset
    lies. Raises SpecError: first with all problems of the data.yaml, then with all of the files it leads to.
    """
    return look_at(yaml, cache, decode=decode, progress=progress).summary


@dataclass(frozen=True)
class DataLook:
    """A dataset with what was read of each of its files."""

    summary: DatasetSummary
    images: dict[str, list[str]]
    """Absolute paths of all images of each split, in Ultralytics' order; also of those that are left out."""
    contents: Contents
    decoded: dict[str, Decoded]
    """By absolute path; empty where nothing was decoded."""
    source: Source

    @property
    def used(self) -> dict[str, list[str]]:
        """Return the images of each split that are not left out, each once, in their order."""
        return {
            split: [image for image in dict.fromkeys(listed) if not _why(image, self.decoded)]
            for split, listed in self.images.items()
        }

    def place(self, path: str) -> str:
        """Return a file's path below the data's root; its absolute path where it lies elsewhere."""
        return place_of(self.source, path)


def look_at(yaml: Path, cache: Path | None, *, decode: bool, progress: Progress = _silent) -> DataLook:
    """Read what ``describe`` does, and return all of it."""
    source = read(yaml)
    images, problems = _listed(source)
    every_image = {image for listed in images.values() for image in listed}
    contents = read_contents(every_image, map(label_of, every_image), len(source.names), cache)
    decoded = decode_all(contents.images, cache, progress) if decode else {}
    problems = _limited(yaml, [*problems, *contents.problems, *_undecodable(decoded)])
    used = {split: [image for image in listed if not _why(image, decoded)] for split, listed in images.items()}
    splits = {split: _summary(listed, contents) for split, listed in used.items()}
    if not problems:
        problems = _empty_splits(source, images, splits)
    if problems:
        raise SpecError(problems)
    known = {contents.images[image] for image in used["train"]}
    in_train = sum(contents.images[image] in known for image in used["val"])
    left_out = tuple(
        LeftOut(split, place_of(source, image), _why(image, decoded))
        for split, listed in images.items()
        for image in listed
        if _why(image, decoded)
    )
    parts = {split: _part(split, listed, contents) for split, listed in images.items()}
    fingerprint = hashlib.sha256(json.dumps(source.names).encode() + b"".join(parts.values())).hexdigest()
    of_splits = {split: hashlib.sha256(part).hexdigest() for split, part in parts.items()}
    channels = int(source.other.get("channels") or 3)
    summary = DatasetSummary(
        str(yaml.absolute()), source.names, splits, fingerprint, in_train, left_out, of_splits, channels
    )
    return DataLook(summary, images, contents, decoded, source)


def _listed(source: Source) -> tuple[dict[str, list[str]], list[Problem]]:
    images: dict[str, list[str]] = {}
    problems: list[Problem] = _wrong_channels(source)
    for split, entries in source.splits.items():
        images[split], wrong = images_of(entries)
        problems += wrong
    return images, problems


def _why(image: str, decoded: Mapping[str, Decoded]) -> str:
    return decoded[image].left_out if image in decoded else ""


def _undecodable(decoded: Mapping[str, Decoded]) -> list[Problem]:
    told = "passes Ultralytics' check, but OpenCV can't decode it, so that a training would stop; save it anew"
    return [Problem(path, 0, "", told) for path, found in decoded.items() if Mark.UNREADABLE in found.marks]


def write_resolved(yaml: Path, to: Path, *, val_too: bool = False) -> None:
    """Write ``to``, a data.yaml that every reader understands alike, from any working folder.

    ``path`` and the splits are absolute, and all text is quoted: PyYAML, which Ultralytics uses, would read a class
    ``no`` as false. With ``val_too`` the images of val are also training images. ``to`` is renamed into place. Raises
    SpecError as ``describe`` does for the data.yaml.
    """
    source = read(yaml)
    keys: dict[str, Any] = {"path": str(source.root)}
    for split, own in source.splits.items():
        entries = (*own, *source.splits["val"]) if val_too and split == "train" else own
        keys[split] = [str(entry) for entry in entries] if len(entries) > 1 else str(entries[0])
    keys |= {"names": list(source.names), **source.other}
    text = "".join(f"{key}: {json.dumps(value, ensure_ascii=False, default=str)}\n" for key, value in keys.items())
    to.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(to, text)


def _summary(images: list[str], contents: Contents) -> SplitSummary:
    facts = [contents.labels[label][1] for label in map(label_of, images) if label in contents.labels]
    labelled = sum(fact.boxes > 0 for fact in facts)
    boxes, polygons = sum(fact.boxes for fact in facts), sum(fact.polygons for fact in facts)
    most = max((fact.boxes for fact in facts), default=0)
    return SplitSummary(len(images), labelled, len(images) - labelled, boxes, polygons, most)


def _wrong_channels(source: Source) -> list[Problem]:
    channels = source.other.get("channels") or 3
    if isinstance(channels, int) and not isinstance(channels, bool) and 0 < channels <= _MOST_CHANNELS:
        return []
    told = f"is a whole number from 1 to {_MOST_CHANNELS}, not {channels!r}: 3 for colours, 1 for grey"
    return [Problem(str(source.file), 0, "channels", told)]


def _limited(yaml: Path, problems: list[Problem]) -> list[Problem]:
    if len(problems) <= _MOST_PROBLEMS:
        return problems
    count = f"its files have {len(problems)} problems; the first {_MOST_PROBLEMS} are listed"
    return [Problem(str(yaml), 0, "", count), *sorted(problems)[:_MOST_PROBLEMS]]


def _empty_splits(source: Source, images: dict[str, list[str]], splits: dict[str, SplitSummary]) -> list[Problem]:
    problems = []
    for split, summary in splits.items():
        if summary.labelled:
            continue
        if images[split] and not summary.images:
            message = f"none of its {len(images[split])} images can be read; see: hpo data check {source.file}"
        elif summary.images:
            first = images[split][0]
            place = f"the labels of {first} are looked for in {label_of(first)}"
            message = f"none of its {summary.images} images has a label; {place}"
        else:
            places = ", ".join(map(str, source.splits[split]))
            message = f"{places} holds no image; name the folder (or list) that does"
        way_out = "; or remove `test`" if split == "test" else ""
        problems.append(Problem(str(source.file), source.lines[split], split, message + way_out))
    return problems


def _part(split: str, listed: list[str], contents: Contents) -> bytes:
    """Return what the fingerprint covers of a split."""
    part = [f"\n{split}\n".encode()]
    ends = (listed[0], listed[-1])  # the list is sorted: a prefix common to these two is common to all
    common = os.path.commonpath([image.rpartition(os.sep)[0] for image in ends])
    for image in listed:
        label = contents.labels.get(label_of(image))
        part.append(os.fsencode(image.removeprefix(common)) + b"\0")
        part.append(contents.images[image] + (label[0] if label else b"-"))
    return b"".join(part)
