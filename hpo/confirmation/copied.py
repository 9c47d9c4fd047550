"""The verdict on images that are new: without those that are copies of others, by the same evaluation."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from hpo.confirmation.groups import Groups
from hpo.confirmation.judging import Capture, judge, metric_name
from hpo.dataset import copies
from hpo.dataset.description import look_at
from hpo.detection.predictions import Predictions, common_folder, name_of
from hpo.evidence import verdict
from hpo.evidence.document import WithoutCopies
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.stage import StagePlan


def names(data: Path, split: str, cache: Path) -> frozenset[str]:
    """Return the images of a split that are copies of others, by their names in ``Predictions``.

    They are images of another split that this one must not know, or of this split and counted more than once; near
    copies count.
    """
    look = look_at(data, cache, decode=True)
    folder = common_folder(look.used[split])
    found = {copy.image for copy in copies.find(look) if copy.split == split}
    return frozenset(name_of(image, folder) for image in found)


def without(
    study: tuple[StudySpec, StagePlan], groups: Groups, split: str, capture: Capture, copied: Set[str]
) -> WithoutCopies | None:
    """Evaluate every run on the images of ``split`` that are not ``copied``; None where none is."""
    if not copied:
        return None

    def new(weights: Path, of: str) -> Predictions:
        return capture(weights, of).without(copied)

    some = new(groups.baseline[0][1], split)
    if not len(some.truth_classes):
        return WithoutCopies(len(copied), len(some), None, None, None, None, "no image that is new has a label")
    found = judge(study, groups, split, new).verdict
    said = verdict.sentence(found, metric_name(study[0]))
    return WithoutCopies(len(copied), len(some), found.claim, found.difference, found.low, found.high, said)
