"""The plan of a training: search trials, and a baseline that trains exactly what plain Ultralytics would train."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from ultralytics.engine.trainer import BaseTrainer

from hpo.studyfile.arguments.arguments import OWNED
from hpo.studyfile.planning import plan
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import DEFAULT, OperatingPoint
from tests.studyfile.conftest import MINIMAL, Studio

HEAD = "name: demo\ndata: data.yaml\nmodel: yolov8n.yaml\n"


def test_a_trial_trains_what_was_sampled_over_what_was_fixed(studio: Studio) -> None:
    spec = studio.load("space.mosaic=0.5", "space.iou=[0.4, 0.7]", "objective=f1")
    args = plan.search_args(spec, {"lr0": 0.05, "iou": 0.6})
    assert args == {
        "batch": 16,
        "close_mosaic": 2,
        "epochs": 20,
        "imgsz": 640,
        "lr0": 0.05,
        "mosaic": 0.5,
        "nbs": 16,
        "optimizer": "SGD",
        "seed": 0,
    }


def test_no_plan_holds_a_key_that_the_service_owns(studio: Studio) -> None:
    spec = studio.load("space=[yolov8-core, nms]", "objective=f1")
    planned = plan.baseline(spec, nc=3, train_images=100)
    assert not set(OWNED) & (set(plan.search_args(spec, planned.params)) | set(planned.train))


def test_nbs_follows_the_batch_of_the_trial_unless_given(studio: Studio) -> None:
    sampled = studio.load("space.batch={choices: [4, 8]}")
    assert plan.search_args(sampled, {"lr0": 0.1, "batch": 8})["nbs"] == 8
    assert plan.search_args(studio.load("train.nbs=64"), {"lr0": 0.1})["nbs"] == 64


@pytest.mark.parametrize(("epochs", "tied"), [(1, 0), (2, 1), (5, 1), (10, 1), (24, 2), (100, 10), (300, 10)])
def test_close_mosaic_is_a_tenth_of_the_epochs_unless_given(studio: Studio, epochs: int, tied: int) -> None:
    assert plan.search_args(studio.load(f"train.epochs={epochs}"), {"lr0": 0.1})["close_mosaic"] == tied
    given = studio.load(f"train.epochs={epochs}", "train.close_mosaic=3")
    assert plan.search_args(given, {"lr0": 0.1})["close_mosaic"] == 3


def test_all_trials_share_the_seed(studio: Studio) -> None:
    assert plan.search_args(studio.load("train.seed=7"), {"lr0": 0.1})["seed"] == 7
    assert plan.baseline(studio.load("train.seed=7"), nc=1, train_images=9).train["seed"] == 7


def test_the_operating_point_takes_what_is_sampled_and_ultralytics_defaults(studio: Studio) -> None:
    assert plan.operating_point(studio.load(), {}) is None
    spec = studio.load("space.iou=[0.4, 0.7]", "space.max_det=100", "objective=f1", "postprocess=sampled")
    assert plan.operating_point(spec, {"iou": 0.5}) == OperatingPoint(iou=0.5, conf=0.25, max_det=100)
    agnostic = studio.load("space.agnostic_nms={choices: [true, false]}", "postprocess=sampled")
    assert plan.operating_point(agnostic, {"agnostic_nms": True}) == OperatingPoint(0.7, 0.25, kind=Kind.AGNOSTIC)


def test_a_swept_trial_has_no_operating_point_before_it_was_swept(studio: Studio) -> None:
    assert plan.operating_point(studio.load("space=[yolov8-core, nms]", "objective=f1"), {}) is None


# the baseline


def test_the_baseline_is_plain_ultralytics_on_the_studys_task(studio: Studio) -> None:
    spec = studio.load(text=HEAD + "train: {epochs: 12, imgsz: 96, batch: 8}\nspace: {mosaic: [0, 1]}\n")
    planned = plan.baseline(spec, nc=3, train_images=205)
    assert planned.train == {
        "batch": 8,
        "close_mosaic": 10,
        "epochs": 12,
        "imgsz": 96,
        "lr0": 0.001429,
        "momentum": 0.9,
        "nbs": 64,
        "optimizer": "AdamW",
        "seed": 0,
        "warmup_bias_lr": 0.0,
    }
    assert planned.params == {"mosaic": 1.0}
    assert planned.operating_point is None


def test_the_baseline_is_measured_where_prediction_is(studio: Studio) -> None:
    spec = studio.load("space=[yolov8-core, nms]", "objective=f1", "postprocess=sampled")
    planned = plan.baseline(spec, nc=3, train_images=205)
    assert planned.operating_point == OperatingPoint(iou=0.7, conf=0.25)
    assert planned.params == {"lr0": 0.001429, "weight_decay": 0.0005, "mosaic": 1.0, "iou": 0.7, "conf": 0.25}


SAME = (
    "train: {epochs: 12, nbs: 64, close_mosaic: 10, optimizer: SGD}\nspace: {lr0: [1e-4, 1e-1]}\n"
    "baseline: {train: {optimizer: SGD}}\n"
)


@pytest.mark.parametrize(
    ("change", "inside"),
    [
        ("train.seed=0", True),
        ("space.lr0=[1e-4, 1e-3]", False),  # its lr0 0.01 lies outside the space
        ("train={epochs: 12, close_mosaic: 10, optimizer: SGD}", False),  # nbs would follow batch
        ("train={epochs: 12, nbs: 64, optimizer: SGD}", False),  # close_mosaic would be tied
        ("train={epochs: 100, nbs: 64, optimizer: SGD}", True),  # a tenth of 100 is Ultralytics' 10
        ("train={epochs: 12, batch: 64, close_mosaic: 10, optimizer: SGD}", True),  # nbs follows to 64
        ("space.mosaic=0.5", False),  # fixed at another value
        ("space.mosaic=1.0", True),
        ("baseline={train: {optimizer: SGD, nbs: 32}}", False),
        ("baseline={train: {optimizer: SGD, momentum: 0.8}}", False),
        ("baseline=true", False),  # plain Ultralytics' optimizer is not the study's
        ("space.optimizer={choices: [SGD, AdamW]}", None),
        ("space.warmup_momentum=[0.5, 0.9]", True),
        ("space.warmup_momentum=[0.5, 0.7]", False),
    ],
)
def test_the_sampler_learns_from_the_baseline_only_where_it_is_a_trial_of_the_search(
    studio: Studio, change: str, inside: bool | None
) -> None:
    text = HEAD + (SAME if inside is not None else SAME.replace(", optimizer: SGD", "").partition("baseline")[0])
    planned = plan.baseline(studio.load(change, text=text), nc=3, train_images=205)
    assert planned.in_space == bool(inside)


def _in_space(studio: Studio, *overrides: str) -> bool:
    return plan.baseline(studio.load(*overrides, text=HEAD + SAME), nc=3, train_images=9).in_space


def test_another_operating_point_keeps_the_baseline_out_of_the_history(studio: Studio) -> None:
    sampled = "postprocess=sampled"
    assert _in_space(studio, "space.iou=[0.4, 0.7]", sampled)
    assert not _in_space(studio, "space.iou=[0.4, 0.6]", sampled)
    assert not _in_space(studio, "space.iou=[0.4, 0.7]", "space.max_det=100", sampled)


def test_the_baseline_of_a_swept_study_is_plain_ultralytics_and_teaches_only_where_the_others_are_measured_as_it_is(
    studio: Studio,
) -> None:
    swept = studio.load("space=[yolov8-core, nms]", "objective=f1")
    planned = plan.baseline(swept, nc=3, train_images=205)
    assert planned.operating_point == DEFAULT
    assert planned.params == {"lr0": 0.001429, "weight_decay": 0.0005, "mosaic": 1.0}
    assert not planned.in_space
    assert not _in_space(studio, "space.iou=[0.4, 0.7]")
    only_default = ("space.iou=0.7", "space.conf=0.25", "space.max_det=300", "space.agnostic_nms=false", "objective=f1")
    assert _in_space(studio, *only_default)


def test_the_baseline_names_active_dimensions_only(studio: Studio) -> None:
    text = HEAD + "train: {epochs: 30}\nspace: yolov8-full\n"
    planned = plan.baseline(studio.load(text=text), nc=3, train_images=205)
    assert planned.params["optimizer"] == "AdamW"
    assert "warmup_momentum" not in planned.params


# `auto`, against Ultralytics itself


def _ultralytics(args: dict[str, Any], nc: int, images: int) -> tuple[str, float, float, float]:
    """Return optimizer, lr0, beta1 or the momentum after warm-up, and warmup_bias_lr as BaseTrainer builds and ramps
    them.
    """
    trainer = BaseTrainer.__new__(BaseTrainer)
    trainer.args = SimpleNamespace(lr0=0.01, momentum=0.937, warmup_bias_lr=0.1, **args)
    trainer.data = {"nc": 1 if args.get("single_cls") else nc}
    trainer.epochs = args["epochs"]
    iterations = math.ceil(images / max(args["batch"], args["nbs"])) * args["epochs"]
    model = nn.Module()
    model.model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = trainer.build_optimizer(model, "auto", 0.01, 0.937, 5e-4, iterations)
    group = optimizer.param_groups[-1]
    warms_up = trainer._get_warmup_iterations(math.ceil(images / args["batch"])) > 0
    if "momentum" not in group:
        momentum = group["betas"][0]
    else:
        momentum = (
            trainer.args.momentum if warms_up else group["momentum"]
        )  # trainer.py: x["momentum"] = np.interp(...)
    return type(optimizer).__name__, trainer.args.lr0, momentum, trainer.args.warmup_bias_lr


@pytest.mark.parametrize(
    ("images", "nc", "train"),
    [
        (205, 3, {"epochs": 12, "batch": 8}),
        (205, 3, {"epochs": 12, "batch": 8, "single_cls": True}),
        (64_000, 80, {"epochs": 10}),  # 10,000 iterations: still AdamW
        (64_001, 80, {"epochs": 10}),  # 10,010: MuSGD
        (64_001, 80, {"epochs": 10, "batch": 128}),  # the larger of batch and nbs counts
        (64_001, 80, {"epochs": 10, "nbs": 128}),
        (200_000, 80, {"epochs": 100, "warmup_epochs": 0.0}),
        (700_000, 80, {"epochs": 1}),  # one epoch leaves no warm-up
    ],
)
def test_auto_is_resolved_as_ultralytics_resolves_it(
    studio: Studio, images: int, nc: int, train: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    own = {name: train[name] for name in ("nbs", "warmup_epochs") if name in train}
    rest = {name: value for name, value in train.items() if name not in own}
    blocks = f"train: {json.dumps(rest)}\nbaseline: {{train: {json.dumps(own)}}}\n"
    spec = studio.load(text=f"{HEAD}{blocks}space: {{mosaic: [0, 1]}}\n")
    planned = plan.baseline(spec, nc=nc, train_images=images).train
    found = (planned["optimizer"], planned["lr0"], planned["momentum"], planned["warmup_bias_lr"])
    assert found == _ultralytics({"batch": 16, "nbs": 64, "warmup_epochs": 3.0, **train}, nc, images)


def test_every_value_is_a_plain_python_value(studio: Studio) -> None:
    spec = studio.load("train.scale=[0.5, 1]", "train.freeze=[0, 1]", text=MINIMAL)
    for value in plan.search_args(spec, {"lr0": 0.1}).values():
        assert type(value) in {bool, int, float, str, list}
