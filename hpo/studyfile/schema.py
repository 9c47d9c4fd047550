"""The study as asked for: frozen, validated, complete. Only ``hpo.studyfile.loader`` builds it; other code trusts it.

Every key of a study file is defined here, once: see ``hpo.studyfile.keys``.
"""
# There is no `from __future__ import annotations` here: the annotations define the keys' types. Evaluating them here,
# where they are compiled already, costs less than evaluating their texts at the first read. Each class has a docstring,
# because `dataclass` otherwise writes one with the text of every annotation, which takes longer than the rest of this
# module.

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from hpo.studyfile.keys import Limit, key, key_metadata
from hpo.studyfile.space import Space
from hpo.trial.kinds import Kind
from hpo.trial.objective import Objective
from hpo.trial.vocabulary import Postprocess, Scalar

POSTPROCESSING_NAMES = ("iou", "conf", "max_det", "agnostic_nms")
Plots = Literal["none", "best", "all"]
STAGE_SUFFIX = ".confirm"
"""End of the name of a confirmation stage, which is a study of its own; no other study's name may end so."""
LONGEST_NAME = 63
_YEAR_S = 31_536_000
_MANY = 1_000_000
_SEEDS = Limit(2**32, "2**32 (numpy's generators take no more)")
NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True)
class Method:
    """A sampler or pruner by its short name, with options by Optuna's own argument names."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Search:
    """How trials are proposed and stopped."""

    sampler: Method = key(
        Method("tpe"),
        "What proposes: a name, or a name with options of Optuna's class.",
        {"name": "tpe", "n_startup_trials": 10},
        form="sampler",
        word="name",
    )
    pruner: Method = key(
        Method("hyperband"),
        "What stops hopeless trials early: a name, or a name with options of Optuna's class.",
        {"name": "median", "n_warmup_steps": 12},
        form="pruner",
        word="name",
    )
    seed: int = key(0, "Same seed, same proposals.", 7, at_least=0, below=_SEEDS)
    enqueue: tuple[tuple[tuple[str, Scalar], ...], ...] = key(
        (),
        "Your own proposals, tried first, after the baseline; what one leaves out is sampled.",
        [{"lr0": 0.002, "batch": 16}, {"lr0": 0.01, "mosaic": 0.5}],
        form="proposals",
    )


@dataclass(frozen=True)
class Budget:
    """How long the search runs."""

    trials: int = key(
        50,
        "Trials that count: complete, pruned, diverged, out of memory, failed for good.",
        50,
        at_least=1,
        at_most=_MANY,
    )
    hours: float | None = key(
        None,
        "No trial starts after so many hours with at least one live worker.",
        24,
        above=0,
        at_most=87_600,
        otherwise="no limit",
    )


@dataclass(frozen=True)
class Recovery:
    """The reaction to a failure of a trial, a worker or the database."""

    hung_s: float = key(
        600.0, "A trial without progress for so many seconds is ended as `hung`.", 600, above=0, at_most=_YEAR_S
    )
    retries: int = key(
        2,
        "Further attempts after a death: killed, hung, crash, host out of memory, disk full.",
        2,
        at_least=0,
        at_most=1000,
    )
    lease_s: float = key(
        60.0, "A worker without a sign of life for so many seconds loses its trials.", 60, at_least=1, at_most=_YEAR_S
    )
    grace_s: float = key(
        60.0,
        "Seconds that a trial has to reach the end of its epoch after SIGTERM or `hpo cancel`.",
        60,
        at_least=0,
        at_most=_YEAR_S,
    )
    patience_s: float = key(
        3600.0,
        "A worker waits so many seconds for a database that is away before it ends.",
        3600,
        at_least=0,
        at_most=_YEAR_S,
    )
    checkpoint_every_s: float = key(
        600.0,
        "Every so many seconds the newest checkpoint is uploaded to a shared MLflow server.",
        600,
        at_least=1,
        at_most=_YEAR_S,
    )


_CACHES = "The raw predictions of so many models stay on disk, those that were used last (about 15 kB an image)."


@dataclass(frozen=True)
class Keep:
    """Which files stay on disk."""

    weights: int = key(5, "The best.pt of so many best trials stay on disk.", 5, at_least=1, at_most=_MANY)
    caches: int = key(5, _CACHES, 5, at_least=1, at_most=_MANY)


@dataclass(frozen=True)
class Confirm:
    """The stage after the search in which the best trials and the baseline are trained again."""

    top: int = key(
        3, "So many of the best complete trials are trained again, and the baseline.", 3, at_least=1, at_most=1000
    )
    # one training of a configuration says nothing about how much two differ
    seeds: int = key(3, "Trainings of each, with seeds of their own.", 3, at_least=2, at_most=1000)


@dataclass(frozen=True)
class Final:
    """The training of the model that is handed over (``hpo promote``)."""

    epochs: int | None = key(
        None, "Epochs of the final training.", 200, at_least=1, at_most=100_000, otherwise="those of the trial"
    )


@dataclass(frozen=True)
class StudySpec:
    """A study, by the keys of its file."""

    name: str = field(
        metadata=key_metadata(
            f"Name of the study: up to {LONGEST_NAME} of a-z 0-9 . _ -, a letter or digit first.", "cells", form="name"
        )
    )
    data: str = field(
        metadata=key_metadata(
            "The data.yaml of a dataset in YOLO format, from the folder of the study file.",
            "../data/digits/data.yaml",
            form="data",
        )
    )
    """Absolute path."""
    model: str = field(
        metadata=key_metadata(
            "A .yaml is trained from scratch, a .pt starts from its weights; Ultralytics' own by name, others by path.",
            "yolov8n.yaml",
            form="model",
        )
    )
    """Name as written, or the absolute path of a file beside the study, in the working folder or in configs/models."""
    train: tuple[tuple[str, Any], ...] = key(
        (),
        "Training arguments of Ultralytics, by their own names, the same in every trial.",
        {"epochs": 50, "imgsz": 640, "optimizer": "AdamW", "seed": 0},
        form="train",
        otherwise="Ultralytics' defaults",
    )
    """Arguments, sorted by name."""
    space: Space = key(
        Space(),
        "What the search may choose: parts by name, and ranges, choices or fixed values of arguments. Later "
        "entries override earlier ones.",
        ["yolov8-core", {"batch": {"choices": [8, 16, 32]}, "cos_lr": True}],
        form="space",
        required=True,
    )
    objective: Objective = key(
        Objective(),
        "The metric to maximize: map50_95, f1, recall at precision >= 0.9, ...",
        "f1",
        form="objective",
        word="metric",
    )
    search: Search = key(Search(), "How trials are proposed and stopped.")
    budget: Budget = key(Budget(), "How long the search goes on.")
    baseline: bool = key(
        default=True, doc="Whether trial 0 is what plain `yolo train` gives; it counts.", example=True, word="trained"
    )
    recipe: tuple[tuple[str, Any], ...] = key(
        (),
        "Training arguments of the baseline besides Ultralytics' defaults: your own recipe, for others to beat.",
        {"optimizer": "SGD", "lr0": 0.02},
        form="recipe",
        within="baseline",
        called="train",
        otherwise="none",
        stored="given",
    )
    """Arguments, sorted by name."""
    postprocess: Postprocess = key(
        Postprocess.NONE,
        "Where suppression and confidence come from: swept after each training, sampled with the rest, or none: "
        "Ultralytics' own.",
        "swept",
        word="mode",
        otherwise="follows from the space and the objective",
    )
    kinds: tuple[Kind, ...] | None = key(
        None,
        "Kinds of suppression that a sweep tries; `class` is another word for `hard`.",
        ["hard", "agnostic", "soft"],
        form="kinds",
        within="postprocess",
        otherwise="hard and agnostic, less what `agnostic_nms` in the space rules out",
        stored="given",
    )
    """Kinds in the order of ``Kind``, each once."""
    per_class: bool = key(
        default=False,
        doc="Whether a sweep gives each class a confidence threshold of its own.",
        example=True,
        within="postprocess",
        stored="given",
    )
    plots: Plots = key(
        "best", "Of which trials Ultralytics draws its plots and some predicted images: none, best or all.", "best"
    )
    keep: Keep = key(Keep(), "What stays on disk.")
    recovery: Recovery = key(Recovery(), "What is done when a trial, a worker or the database fails.")
    confirm: Confirm | None = key(
        None,
        "After the search the best trials and the baseline are trained again as a proof: docs/evidence.md.",
        otherwise="off",
    )
    final: Final | None = key(None, "The training of what is handed over: docs/promote.md.", otherwise="as the trial")
    warm_start: tuple[str, ...] = key(
        (),
        "Names of earlier studies in the same database to begin from.",
        ["cells-2025"],
        form="names",
        otherwise="none",
        stored="given",
    )

    @property
    def train_args(self) -> dict[str, Any]:
        return dict(self.train)

    @property
    def baseline_name(self) -> str:
        """Return what the baseline is, for people."""
        return "your recipe" if self.recipe else "plain Ultralytics"

    @property
    def searched(self) -> Space:
        """Return the space of the proposals: the whole space without what is swept after each training."""
        return self.space.without(POSTPROCESSING_NAMES) if self.is_swept else self.space

    @property
    def is_swept(self) -> bool:
        return self.postprocess is Postprocess.SWEPT

    @property
    def epochs(self) -> int:
        """Return the number of epochs of every trial (Ultralytics' default where ``train`` names none)."""
        return int(self.train_args.get("epochs", 100))
