"""Operating points and their gains, in words for a person; one line each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hpo.trial.kinds import Axis
from hpo.trial.operating_point import DEFAULT, OperatingPoint, Rated, SweepResult


def setting(point: OperatingPoint) -> str:
    """Describe a setting: ``iou 0.55, conf 0.31``, and whatever else differs from the defaults."""
    words = [str(point.kind)] if point.kind.row.named else []
    words += [f"iou {point.iou:.4g}"] if point.iou is not None else []
    words += [f"sigma {point.sigma:.4g}"] if point.sigma is not None else []
    words += [f"floor {point.floor:.4g}"] if Axis.FLOOR in point.kind.row.axes else []
    if point.per_class_conf is None:
        words.append(f"conf {point.conf:.4g}")
    else:
        words.append(f"conf a class {' '.join(f'{conf:.4g}' for conf in point.per_class_conf)}")
    words += [f"max_det {point.max_det}"] if point.max_det != DEFAULT.max_det else []
    return ", ".join(words)


def suppression(point: OperatingPoint) -> str:
    """Describe what the kind does, and give its source."""
    row = point.kind.row
    source = "" if row.paper is None else f" ([{row.paper[0]}]({row.paper[1]}))"
    return f"`{point.kind}` is {row.does}{source}"


def in_python(weights: str, settings: str) -> str:
    """Show the code that applies a detector at any setting; it is the only way where ``yolo predict`` can't."""
    return f"hpo.deploy.load({weights!r}, {settings!r}).predict(IMAGES)"


def gain(result: SweepResult) -> str:
    """Describe the gain of the best setting over Ultralytics' defaults, the recommendation that follows, and the images
    that a limit of detections has cut.
    """
    return "; ".join([_gain(result), *limits(result)])


def measured(images: int) -> str:
    """Describe how the value of a sweep's best setting was measured, on so many images."""
    return "cross-validated over images" if images != 1 else "on the one image that chose it"


def cautions(images: int, in_train: int) -> list[str]:
    """Name what values on val can't show.

    ``images``: images of val; ``in_train``: those of them that are in train, too.
    """
    one = "val is one image: nothing is measured on images that did not choose it; give val more of them"
    seen = f"{in_train} of {images} images of val are in train, too: values there say nothing about new images"
    return [*([one] if images == 1 else []), *([seen] if in_train else [])]


def data_change(at: str, by: str, files: Sequence[Mapping[str, Any]]) -> str:
    """Tell that a study went on with other data. ``at``: ISO 8601; ``files``: those that changed, with their path."""
    named = ", ".join(str(file["path"]) for file in files[:3]) + (", ..." if len(files) > 3 else "")
    what = f" ({named})" if files else ""
    return f"the data was changed within the study{what}: {by} accepted it on {at[:10]}; earlier trials saw other bytes"


def untrained(names: Sequence[str], labelled: Collection[int], trained: Collection[int] | None) -> list[str]:
    """Name the classes that are measured without having been trained.

    ``names``: names by index; ``labelled``: classes that have labels; ``trained``: trained classes, None for every one.
    """
    other = [names[index] for index in sorted(set(labelled) - set(labelled if trained is None else trained))]
    if trained is None or not other:
        return []
    known = ", ".join(names[index] for index in sorted(trained))
    return [f"the weights were trained on {known} alone, and {', '.join(other)} of the data are measured, too"]


def limits(result: SweepResult) -> list[str]:
    """Describe the limits of detections that are too low for some images, at the defaults and at the best setting."""
    at = {"the defaults": result.default, "the best setting": result.best}
    return [_limit(rated, result.images, name) for name, rated in at.items() if rated.images_cut or rated.images_beyond]


def _limit(rated: Rated, images: int, at: str) -> str:
    few, more = f"{rated.images_cut} of {images} images", f"{rated.images_beyond} have more labels than that"
    return f"max_det {rated.point.max_det} of {at} cuts the detections of {few} ({more})"


def _gain(result: SweepResult) -> str:
    if not result.feasible:
        return f"no setting meets the conditions of {result.objective}: the defaults are recommended"
    found, chosen_by = result.gain.decisive, "on the one image that chose it"
    if result.is_cross_validated:
        chosen_by = "on images that did not choose it"
    images = "on test images" if result.gain.test else chosen_by
    over = f"{found.value:+.4f} {result.objective} over {setting(result.default.point)} {images}"
    interval = f"95% interval {found.low:+.4f} to {found.high:+.4f}"
    if result.gain.proven:
        return f"{over}, {interval}: recommended"
    if result.recommended == "best":
        return f"{over}, {interval}: recommended, because the defaults miss the conditions"
    why = "which holds 0, so that no gain is proven" if found.high >= 0 else "a loss"
    return f"{over}, {interval}, {why}: the defaults are recommended"
