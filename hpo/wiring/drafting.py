"""Drafting of a study file that validates, from a dataset and a few choices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.dataset.boxes import box_facts, longest_side
from hpo.dataset.description import describe
from hpo.dataset.summary import DatasetSummary
from hpo.errors import SpecError, UsageError
from hpo.settings import Settings
from hpo.studyfile import loader
from hpo.studyfile.drafting import Draft, DraftFacts, name_of, study_text
from hpo.studyfile.reading import models

_MOST_FOUND = 20
_PLACES = ("data.yaml", "*/data.yaml", "data/*/data.yaml", "datasets/*/data.yaml")


@dataclass(frozen=True)
class Drafted:
    """The written file, and the facts behind it."""

    file: Path
    name: str
    facts: DraftFacts


def datasets_near(folder: Path) -> list[Path]:
    """Return the data.yaml files in and below ``folder`` that a person may mean, the nearest first."""
    found = [path for pattern in _PLACES for path in sorted(folder.glob(pattern))]
    return found[:_MOST_FOUND]


def draft(file: Path, data: Path, wanted: Draft, settings: Settings) -> Drafted:
    """Look at the dataset, write ``file``, and check that it validates.

    This function sets ``wanted.data``; an empty ``wanted.name`` becomes the name of the dataset's folder. Raises
    UsageError if ``file`` exists already, and SpecError for wrong data or a wrong choice: then no file is left.
    """
    if file.exists() or file.is_symlink():
        raise UsageError(f"{file}: is there already, and is left as it is; name another file: hpo init other.yaml")
    if not data.is_file():
        raise UsageError(f"{data}: no such file; name the data.yaml of a dataset in YOLO format")
    summary = describe(data, settings.cache, decode=True)
    facts = _facts(data, summary)
    name = wanted.name or name_of(data.absolute().parent.name)
    model = _seen_from(file, Path(wanted.model)) if Path(wanted.model).is_file() else wanted.model
    complete = replace(wanted, name=name, data=_seen_from(file, data), model=model)
    with _in_place(file, study_text(complete, facts, str(file))):
        loaded = loader.load(file)
        loaded.check_facts(summary, models.facts(loaded.spec.model))
    return Drafted(file, name, facts)


def _facts(data: Path, summary: DatasetSummary) -> DraftFacts:
    left_out = {each.file for each in summary.left_out}
    boxes = box_facts(data, left_out=left_out)
    return DraftFacts(
        images={split: part.images for split, part in summary.splits.items()},
        boxes={split: part.boxes for split, part in summary.splits.items()},
        names=summary.names,
        longest_side_px=longest_side(data, left_out=left_out),
        box_side=1.0 if boxes is None else boxes.sides[1],
    )


def _seen_from(file: Path, other: Path) -> str:
    """``other`` as ``file`` names it: relative if it lies in or below the file's folder, else absolute.

    A relative path that begins with ``~`` would be read as a person's home.
    """
    target, folder = other.absolute(), file.absolute().parent
    if not target.is_relative_to(folder) or target.relative_to(folder).parts[0].startswith("~"):
        return os.path.normpath(target)
    return str(target.relative_to(folder))


@contextmanager
def _in_place(file: Path, text: str) -> Iterator[None]:
    """Put the text at a free path; a draft that does not validate is removed again."""
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{file}: is there already, and is left as it is; name another file") from None
    except OSError as error:
        raise UsageError(f"{file}: can't be written ({error.strerror}); name a file in a folder that can") from error
    try:
        yield
    except SpecError:
        file.unlink()
        raise
