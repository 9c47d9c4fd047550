"""Ultralytics' training arguments: names, kinds, bounds, and their owners.

They are read from the installed package's files without importing it (the import takes seconds and loads torch).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from hpo.studyfile.schema import POSTPROCESSING_NAMES
from hpo.studyfile.text.report import nearest

Kind = Literal["whole", "real", "fraction", "flag", "text", "special"]


@dataclass(frozen=True)
class OptimizerRow:
    """The data of one optimizer."""

    momentum: bool = False
    """Whether its parameter groups have ``momentum``, which warm-up ramps; Adam and its relatives have ``betas``."""
    lr0: tuple[float, float] = (1e-4, 1e-2)
    """Learning rates that are worth a search, smallest and largest."""


_OF_GRADIENTS = (1e-3, 1e-1)
"""Learning rates of an optimizer whose steps are as long as the gradients; Adam and its relatives normalize them."""

OPTIMIZERS = {
    "SGD": OptimizerRow(momentum=True, lr0=_OF_GRADIENTS),
    "MuSGD": OptimizerRow(momentum=True, lr0=_OF_GRADIENTS),
    "Adam": OptimizerRow(),
    "Adamax": OptimizerRow(),
    "AdamW": OptimizerRow(),
    "NAdam": OptimizerRow(),
    "RAdam": OptimizerRow(),
    "RMSprop": OptimizerRow(momentum=True),
}
"""Optimizers by Ultralytics' own spelling; Ultralytics ignores case."""
WITH_MOMENTUM = tuple(name for name, row in OPTIMIZERS.items() if row.momentum)
CLOSED_WITH_MOSAIC = ("mosaic", "mixup", "cutmix", "copy_paste")
"""Augmentations that are off in the last ``close_mosaic`` epochs."""

OWNED = {
    "model": "`model` at the top of the file names it",
    "data": "`data` at the top of the file names it",
    "task": "hpo trains detectors, the task is always detect",
    "mode": "a trial always trains",
    "cfg": "write the arguments under `train` instead of in another file",
    "device": "the worker gives each trial one device (a GPU where there is one, else the CPU; CUDA_VISIBLE_DEVICES "
    "narrows the choice); several GPUs train several trials at a time",
    **dict.fromkeys(("save_dir", "exist_ok"), "each attempt has a folder of its own under $HPO_HOME"),
    "project": "each attempt has a folder of its own under $HPO_HOME; `name` at the top of the file names the study",
    "name": "`name` at the top of the file names the study",
    "resume": "`hpo run` goes on by itself where it was stopped",
    "time": "`budget.hours` bounds the study; a bound on one training would make its learning rate depend on the clock",
    "val": "every epoch is validated: the objective and `search.pruner` need it",
    "split": "the objective is measured on the val split",
    **dict.fromkeys(
        ("save", "save_period"), "best.pt and last.pt are always written; `keep.weights` says how many stay"
    ),
    "plots": "`plots` at the top of the file (none, best or all) does it",
    "verbose": "each trial's output goes to its log.txt",
    "patience": "`search.pruner` stops hopeless trials",
    "fraction": "Ultralytics would take the first files, not a sample; list a subset in a train.txt that `data` names",
    **dict.fromkeys(
        POSTPROCESSING_NAMES, "it would change how training is validated; as post-processing it belongs under `space`"
    ),
}
"""Training arguments that the service sets itself, with the key or command that does it."""

REMOVED = {
    "label_smoothing": "Ultralytics removed it and drops it with a warning: it would do nothing",
    **dict.fromkeys(("save_hybrid", "crop_fraction", "keras"), "Ultralytics removed it"),
    "half": "Ultralytics replaced it; `amp` sets the precision of training",
    "int8": "Ultralytics replaced it; training with 8-bit weights needs the package nvidia-modelopt, which hpo lacks",
    "quantize": "training with 8-bit weights needs the package nvidia-modelopt, which hpo does not install",
}

OUTSIDE_TRAINING = frozenset(
    {
        *("source", "vid_stride", "stream_buffer", "visualize", "augment", "embed", "retina_masks", "tracker"),
        *("show", "save_frames", "save_txt", "save_conf", "save_crop", "save_json"),
        *("show_labels", "show_conf", "show_boxes", "line_width"),
        *("format", "optimize", "dynamic", "simplify", "opset", "workspace", "dnn", "profile"),
    }
)
"""Arguments of prediction, export and display: they have no effect in a training."""

_CLASSIFY = "Ultralytics uses it for classification only"
_OTHER_TASK = "Ultralytics uses it for other tasks than detection"
INERT = {
    "erasing": _CLASSIFY,
    "auto_augment": _CLASSIFY,
    "dropout": _CLASSIFY,
    **dict.fromkeys(
        ("mask_ratio", "overlap_mask", "pose", "kobj", "rle", "angle", "dlog", "dgrad", "dlam"), _OTHER_TASK
    ),
}
"""Arguments that leave a detection training bit-identical."""

_SPEED = "it is about the speed of a machine, not about the model"
UNSEARCHED = {
    "nms": "it chooses what is measured, not what is trained: hpo measures what is deployed",
    **dict.fromkeys(("channels_last", "compile", "workers", "deterministic"), _SPEED),
}
"""Arguments that are no dimension of a search, each with the reason; ``train`` may fix them."""

LOWEST = {"batch": 1, "imgsz": 32, "close_mosaic": 0, "warmup_epochs": 0, "workers": 0}
"""Lower bounds in addition to Ultralytics' own checks: below them Ultralytics would silently do something else."""


HIGHEST = {"epochs": 100_000, "warmup_epochs": 100_000, "imgsz": 32_768, "workers": 1024}
"""Upper bounds; other whole numbers end at ``_MOST``. No training gets near them, and plans are made of every epoch."""
_MOST = 1_000_000


def package() -> Path:
    """Return the folder of the installed ultralytics package."""
    found = find_spec("ultralytics")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("ultralytics is not installed: `make dev` installs what is locked")
    return Path(found.origin).parent


@cache
def _default_yaml() -> dict[str, Any]:
    return dict(YAML(typ="safe").load((package() / "cfg" / "default.yaml").read_text(encoding="utf-8")))


@cache
def comments() -> dict[str, str]:
    """Return the comment on each argument in Ultralytics' default.yaml."""
    text = (package() / "cfg" / "default.yaml").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+):.*?# (?:\([^)]*\) )?(.+)$", text, re.MULTILINE))


def defaults() -> dict[str, Any]:
    """Return Ultralytics' default arguments (its default.yaml), as plain Python values in a fresh copy."""
    return dict(_default_yaml())


@cache
def _key_sets() -> dict[str, Any]:
    tree = ast.parse((package() / "cfg" / "__init__.py").read_text(encoding="utf-8"))
    wanted = {"CFG_FLOAT_KEYS", "CFG_FRACTION_KEYS", "CFG_INT_KEYS", "CFG_INT_MIN", "CFG_BOOL_KEYS", "CFG_STR_KEYS"}
    found: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, value = statement.targets[0].id, statement.value
            if name in wanted:
                found[name] = ast.literal_eval(value.args[0] if isinstance(value, ast.Call) else value)
    return found


@cache
def kind(name: str) -> Kind:
    """Return the kind of values that an argument takes, by Ultralytics' own checks; batch and imgsz are whole here."""
    sets = _key_sets()
    if name in {"batch", "imgsz"} or name in sets["CFG_INT_KEYS"]:
        return "whole"
    if name in sets["CFG_FRACTION_KEYS"] or name == "scale":
        return "fraction"
    if name in sets["CFG_FLOAT_KEYS"]:
        return "real"
    if name in sets["CFG_BOOL_KEYS"]:
        return "flag"
    return "text" if name in sets["CFG_STR_KEYS"] else "special"


def lowest(name: str) -> float | None:
    """Return the smallest value that is honoured, or None."""
    if kind(name) == "fraction":
        return 0.0
    bound: float | None = _key_sets()["CFG_INT_MIN"].get(name, LOWEST.get(name))
    return bound


def highest(name: str) -> float | None:
    """Return the largest value that is honoured, or None."""
    if kind(name) == "fraction":
        return 1.0
    return HIGHEST.get(name, _MOST if kind(name) == "whole" else None)


def trainable() -> frozenset[str]:
    """Return the names that ``train`` takes."""
    return frozenset(_default_yaml()) - set(OWNED) - set(REMOVED) - OUTSIDE_TRAINING


def sampleable() -> frozenset[str]:
    """Return the names that ``space`` takes."""
    return trainable() | set(POSTPROCESSING_NAMES)


def refusal(name: str) -> str | None:
    """Return why ``name`` can't be a training argument of a study, and what replaces it; None where it can."""
    if name in OWNED:
        return f"is set by hpo: {OWNED[name]}"
    if name in REMOVED:
        return REMOVED[name]
    if name in OUTSIDE_TRAINING:
        return "belongs to prediction, export or display: it does nothing in a training"
    if name not in _default_yaml():
        return f"is no training argument of Ultralytics{nearest(name, trainable())}"
    return None
