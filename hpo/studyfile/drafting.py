"""A first study file for a dataset that was inspected: complete, commented, and valid without changes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

LONGEST_IMGSZ_PX = 640
"""Largest image size of a draft, in pixels: Ultralytics' default.

Larger images cost several times the GPU time, which a first study should not spend unless asked.
"""
SHORT_TRAINING_EPOCHS = 10
"""Number of epochs below which Ultralytics' three warm-up epochs would be a third of the training."""
MANY_TRIALS = 1000
"""Number of trials in a draft that limits only the hours."""
_STRIDE_PX = 32
_MOST_NAMES = 8


@dataclass(frozen=True)
class DraftFacts:
    """The facts about the data that a draft states."""

    images: dict[str, int]
    """Number of images by split: ``train``, ``val`` and, where there is one, ``test``."""
    boxes: dict[str, int]
    """Number of boxes by split."""
    names: tuple[str, ...]
    longest_side_px: int
    """Median of the longer side over the training images, in pixels."""
    box_side: float
    """Median of sqrt(box area / image area) over the training boxes, in (0, 1]."""


@dataclass(frozen=True)
class Draft:
    """A person's choices; None leaves a choice to the data."""

    name: str
    data: str
    """Path of the data as the file will name it: relative to its own folder, or absolute."""
    model: str
    trials: int | None = None
    hours: float | None = None
    epochs: int = 100
    imgsz: int | None = None
    """Image size in pixels; None for the size of the images, at most 640."""
    objective: str = "map50_95"


def name_of(folder: str) -> str:
    """Make a valid study name from a folder's name: ``My Cells (v2)`` gives ``my-cells-v2``."""
    words = re.sub(r"[^a-z0-9._-]+", "-", folder.lower()).strip("-._")
    return words[:63] or "study"


def fitting_imgsz(longest_side_px: int) -> int:
    """Return the multiple of 32 that holds the images, from 32 to 640 pixels."""
    up = -(-longest_side_px // _STRIDE_PX) * _STRIDE_PX
    return max(_STRIDE_PX, min(LONGEST_IMGSZ_PX, up))


def study_text(draft: Draft, facts: DraftFacts, file: str) -> str:
    """Return the text of the study file; ``file`` is its name in its own comments."""
    return "\n".join([*_head(draft, facts, file), *_what(draft), *_train(draft, facts), *_space(), *_end(draft)]) + "\n"


def _head(draft: Draft, facts: DraftFacts, file: str) -> list[str]:
    splits = ", ".join(f"{split} {count} images ({facts.boxes[split]} boxes)" for split, count in facts.images.items())
    some = ", ".join(facts.names[:_MOST_NAMES]) + (", ..." if len(facts.names) > _MOST_NAMES else "")
    count = len(facts.names)
    test = [] if "test" in facts.images else ["# There is no test split: a verdict is then measured on val."]
    return [
        f"# {draft.name}: a study written by `hpo init`. Every key and what else there is: docs/study-file.md.",
        "#",
        f"#   hpo validate {file}   checks it and shows what would be trained; nothing is stored",
        f"#   hpo run {file}        runs it; after Ctrl-C the same command goes on",
        "#",
        f"# The data: {splits};",
        f"# {count} {'class' if count == 1 else 'classes'}: {_plain(some)}. Half of the boxes are narrower than "
        f"{facts.box_side:.0%} of their image.",
        *test,
        "",
    ]


def _what(draft: Draft) -> list[str]:
    scratch = (
        "trained from scratch" if draft.model.endswith((".yaml", ".yml")) else "training starts from these weights"
    )
    return [
        f"name: {_text(draft.name)}",
        f"data: {_text(draft.data)}",
        f"model: {_text(draft.model)}   # {scratch}",
        "",
    ]


def _train(draft: Draft, facts: DraftFacts) -> list[str]:
    own = fitting_imgsz(facts.longest_side_px)
    why = "as asked for" if draft.imgsz else f"the images' longer side is {facts.longest_side_px} px in the median"
    short = [
        f"  warmup_epochs: {min(1, draft.epochs - 1)}    # of so few epochs, Ultralytics' three would be a large share"
    ]
    return [
        "train:                # training arguments of Ultralytics, by their own names, the same in every trial",
        f"  epochs: {draft.epochs}",
        f"  imgsz: {draft.imgsz or own}   # px; {why}",
        "  batch: 16",
        *(short if draft.epochs < SHORT_TRAINING_EPOCHS else []),
        "  # fliplr: 0.0       # where a mirrored object is another one: digits, text, arrows",
        "",
    ]


def _space() -> list[str]:
    return [
        "space:                # what the search may choose; `yolov8-core` and other parts are in configs/spaces",
        "  lr0: {follows: optimizer}   # a decade to either side of what Ultralytics' rule chooses for this data",
        "  weight_decay: {low: 1e-5, high: 1e-3, log: true}",
        "  mosaic: {low: 0.0, high: 1.0}",
        "",
    ]


def _end(draft: Draft) -> list[str]:
    hours = [] if draft.hours is None else [f"  hours: {draft.hours:g}   # no trial starts after so many hours"]
    trials = draft.trials or MANY_TRIALS
    return [
        f"objective: {_text(draft.objective)}   # larger is better, on val; also: f1, recall at precision >= 0.9, ...",
        "postprocess: swept    # each trained model is measured at every NMS threshold and confidence, at no training",
        "",
        "budget:",
        f"  trials: {trials}   # trial 0 is the baseline, and it counts",
        *hours,
        "",
        "# After the search, `hpo confirm` trains the best trials and the baseline again with fresh seeds, and says",
        "# whether the winner is better or was lucky. To have `hpo run` do it at once (twelve more trainings):",
        "# confirm: {top: 3, seeds: 3}",
    ]


def _text(value: str) -> str:
    """Write a YAML scalar that reads as this text; it is quoted where the plain form would be another value."""
    plain = re.fullmatch(r"[A-Za-z_./~][\w./ ~>=-]*", value) is not None and value == value.strip()
    ambiguous = value.lower() in {"null", "true", "false", "yes", "no", "on", "off", "~"}
    return value if plain and not ambiguous else json.dumps(value, ensure_ascii=False)


def _plain(text: str) -> str:
    """Make a text fit in one line of a comment."""
    return " ".join(text.split())
