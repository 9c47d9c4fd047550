"""Families of detectors, one row for each: how the last layer of a network finds boxes, and what that makes inert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hpo.trial.rowed import Rowed

_FIXED_LOSS = "the loss of RT-DETR has fixed weights"


@dataclass(frozen=True)
class FamilyRow:
    """The data of one family."""

    does: str
    """Description for people; half a sentence."""
    modules: tuple[str, ...]
    """Ultralytics' classes of the last layer."""
    has_nms: bool
    """Whether its boxes go through non-maximum suppression before they are measured and deployed."""
    inert: Mapping[str, str] = field(default_factory=dict)
    """Training arguments that do nothing, each with the reason."""
    fixed: Mapping[str, bool] = field(default_factory=dict)
    """Arguments that every training has, whatever the study says."""


class Family(Rowed):
    """Families of detectors that hpo trains."""

    row: FamilyRow

    ONE_BRANCH = "one_branch", FamilyRow("boxes of every cell, then NMS (YOLOv8, YOLO11)", ("Detect",), has_nms=True)
    TWO_BRANCHES = (
        "two_branches",
        FamilyRow(
            "trained with a branch for NMS, deployed on the one that needs none (YOLOv10, YOLO26)",
            ("v10Detect",),
            has_nms=False,
            fixed={"nms": False},  # else Ultralytics validates on the branch that is not deployed
        ),
    )
    QUERIES = (
        "queries",
        FamilyRow(
            "a transformer with a fixed number of queries (RT-DETR)",
            ("RTDETRDecoder",),
            has_nms=False,
            inert={
                **dict.fromkeys(("box", "cls", "dfl", "cls_pw"), _FIXED_LOSS),
                "rect": "every image is stretched to a square",
            },
        ),
    )


def family_of(module: str, *, two_branches: bool) -> Family | None:
    """Look up the family of a detector.

    Args:
        module: Ultralytics' class of the last layer; case does not matter.
        two_branches: Whether a second branch needs no suppression (``end2end`` in the YAML of a model).

    Returns:
        The family; None for a network that hpo does not train.
    """
    known = {name.lower(): family for family in Family for name in family.row.modules}
    found = known.get(module.lower())
    return Family.TWO_BRANCHES if found is Family.ONE_BRANCH and two_branches else found
