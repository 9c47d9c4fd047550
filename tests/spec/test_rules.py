"""What can't be honoured is refused before the first epoch: each rule, and the neighbouring case that is accepted."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hpo.dataset.summary import DatasetSummary, SplitSummary
from hpo.spec import arguments
from hpo.spec.rules import ModelFacts, check_facts
from tests.spec.conftest import Studio

DETECTOR = ModelFacts(head_has_nms=True, task="detect")


def _study(train: str, space: str, rest: str = "") -> str:
    head = "name: demo\ndata: data.yaml\nmodel: yolov8n.yaml\n"
    return f"{head}train: {{{train}}}\nspace: {{{space}}}\n{rest}"


@dataclass(frozen=True)
class Case:
    refused: str
    path: str
    says: str
    accepted: str


CASES = {
    "lr0 is sampled with optimizer auto": Case(
        _study("epochs: 20", "lr0: [0.001, 0.1]"),
        "space.lr0",
        "`optimizer: auto`",
        _study("epochs: 20, optimizer: SGD", "lr0: [0.001, 0.1]"),
    ),
    "momentum is sampled with optimizer auto": Case(
        _study("optimizer: AUTO", "momentum: [0.8, 0.9]"),
        "space.momentum",
        "train: {optimizer: AdamW}",
        _study("", "momentum: [0.8, 0.9], optimizer: {choices: [SGD, AdamW]}"),
    ),
    "lr0 is given with optimizer auto": Case(
        _study("lr0: 0.01", "mosaic: [0, 1]"), "train.lr0", "ignores it", _study("", "mosaic: [0, 1]")
    ),
    "the bias warms up from a rate that optimizer auto replaces": Case(
        _study("", "warmup_bias_lr: [0, 0.1]"),
        "space.warmup_bias_lr",
        "ignores it",
        _study("optimizer: SGD", "warmup_bias_lr: [0, 0.1]"),
    ),
    "auto is one of the optimizers to choose from": Case(
        _study("", "optimizer: {choices: [SGD, auto]}"),
        "space.optimizer",
        "a rule, not an optimizer",
        _study("", "optimizer: {choices: [SGD, AdamW]}"),
    ),
    "mosaic is sampled but closed from the start": Case(
        _study("epochs: 10, close_mosaic: 10", "mosaic: [0, 1]"),
        "space.mosaic",
        "close_mosaic (10) is not below epochs (10)",
        _study("epochs: 11, close_mosaic: 10", "mosaic: [0, 1]"),
    ),
    "mixup is sampled but may be closed from the start": Case(
        _study("epochs: 5", "mixup: [0, 1], close_mosaic: [0, 5]"),
        "space.mixup",
        "does nothing where close_mosaic (5)",
        _study("epochs: 5", "mixup: [0, 1], close_mosaic: [0, 4]"),
    ),
    "cutmix is sampled but closed, and close_mosaic left out would be tied to epochs": Case(
        _study("epochs: 3, close_mosaic: 3", "cutmix: [0, 1]"),
        "space.cutmix",
        "leave it out",
        _study("epochs: 3", "cutmix: [0, 1]"),
    ),
    "mosaic is sampled but switched off by rect": Case(
        _study("rect: true", "mosaic: [0, 1]"), "space.mosaic", "rect: true", _study("rect: false", "mosaic: [0, 1]")
    ),
    "erasing is for classification": Case(
        _study("", "erasing: [0, 1]"), "space.erasing", "classification", _study("", "hsv_h: [0, 1]")
    ),
    "dropout is for classification": Case(
        _study("", "dropout: [0, 0.5]"), "space.dropout", "classification", _study("", "mixup: [0, 0.5]")
    ),
    "pose is a gain of another task": Case(
        _study("", "pose: [1, 20]"), "space.pose", "other tasks", _study("", "box: [1, 20]")
    ),
    "dis weighs a teacher that is not there": Case(
        _study("", "dis: [1, 9]"), "space.dis", "distill_model", _study("distill_model: t.pt", "dis: [1, 9]")
    ),
    "copy_paste_mode without copy_paste": Case(
        _study("", "copy_paste_mode: {choices: [flip, mixup]}"),
        "space.copy_paste_mode",
        "copy_paste is 0",
        _study("copy_paste: 0.5", "copy_paste_mode: {choices: [flip, mixup]}"),
    ),
    "close_mosaic closes nothing": Case(
        _study("mosaic: 0", "close_mosaic: [0, 9]"),
        "space.close_mosaic",
        "all 0",
        _study("mosaic: 0, mixup: 0.1", "close_mosaic: [0, 9]"),
    ),
    "warmup_momentum under Adam": Case(
        _study("optimizer: AdamW", "warmup_momentum: [0, 0.9]"),
        "space.warmup_momentum",
        "AdamW",
        _study("optimizer: RMSprop", "warmup_momentum: [0, 0.9]"),
    ),
    "warmup_momentum where the optimizer may be Adam": Case(
        _study("", "optimizer: {choices: [SGD, AdamW]}, warmup_momentum: [0, 0.9]"),
        "space.warmup_momentum",
        "when: {optimizer: SGD}",
        _study("", "optimizer: {choices: [SGD, AdamW]}, warmup_momentum: {low: 0, high: 0.9, when: {optimizer: SGD}}"),
    ),
    "warmup_momentum under optimizer auto": Case(
        _study("", "warmup_momentum: [0, 0.9]"),
        "space.warmup_momentum",
        "auto",
        _study("optimizer: MuSGD", "warmup_momentum: [0, 0.9]"),
    ),
    "warm-up may last longer than the training": Case(
        _study("epochs: 5", "warmup_epochs: [0, 5]"),
        "space.warmup_epochs",
        "epochs - 1 = 4",
        _study("epochs: 5", "warmup_epochs: [0, 4]"),
    ),
    "warm-up lasts as long as the training": Case(
        _study("epochs: 3, warmup_epochs: 3", "mosaic: [0, 1]"),
        "train.warmup_epochs",
        "epochs - 1 = 2",
        _study("epochs: 3", "mosaic: [0, 1]"),
    ),
    "warmup_bias_lr without warm-up": Case(
        _study("optimizer: SGD, warmup_epochs: 0", "warmup_bias_lr: [0, 0.1]"),
        "space.warmup_bias_lr",
        "without warm-up",
        _study("optimizer: SGD, warmup_epochs: 0.5", "warmup_bias_lr: [0, 0.1]"),
    ),
    "conf is sampled under map50": Case(
        _study("", "conf: [0.1, 0.5]", "objective: map50\npostprocess: sampled\n"),
        "space.conf",
        "objective: f1",
        _study("", "conf: [0.1, 0.5]", "objective: f1\npostprocess: sampled\n"),
    ),
    "conf is sampled under precision": Case(
        _study("", "conf: [0.1, 0.5], iou: [0.4, 0.7]", "objective: precision\npostprocess: sampled\n"),
        "space.conf",
        "run to a bound",
        _study("", "conf: 0.3, iou: [0.4, 0.7]", "objective: precision\npostprocess: sampled\n"),
    ),
    "conf is sampled under recall": Case(
        _study("", "conf: [0.1, 0.5]", "objective: recall\npostprocess: sampled\n"),
        "space.conf",
        "leave conf out",
        _study("", "iou: [0.4, 0.7]", "objective: recall\npostprocess: sampled\n"),
    ),
    "recall alone is swept": Case(
        _study("", "mosaic: [0, 1], conf: [0.1, 0.5]", "objective: recall\n"),
        "objective",
        "`recall at precision >= 0.9`",
        _study("", "mosaic: [0, 1], conf: [0.1, 0.5]", "objective: recall at precision >= 0.9\n"),
    ),
    "precision is swept, and nothing holds it back": Case(
        _study("", "mosaic: [0, 1]", "objective: precision at fp_per_image <= 1\n"),
        "objective",
        "run to a bound",
        _study("", "mosaic: [0, 1]", "objective: precision at recall >= 0.1 and fp_per_image <= 1\n"),
    ),
    "an objective that is not plain without a sweep": Case(
        _study("", "mosaic: [0, 1]", "objective: f2\npostprocess: none\n"),
        "objective",
        "write `postprocess: swept`",
        _study("", "mosaic: [0, 1]", "objective: f1\npostprocess: none\n"),
    ),
    "an objective that is not plain while the setting is sampled": Case(
        _study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "objective: f1 micro\npostprocess: sampled\n"),
        "objective",
        "`postprocess: sampled` makes none",
        _study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "objective: f1\npostprocess: sampled\n"),
    ),
    "a condition on a class of a model that knows one": Case(
        _study("single_cls: true", "mosaic: [0, 1]", "objective: 'f1 at recall[a] >= 0.5'\n"),
        "objective",
        "tells no classes apart",
        _study("single_cls: true", "mosaic: [0, 1]", "objective: f1 at recall >= 0.5\n"),
    ),
    "nothing is left to search once the rest is swept": Case(
        _study("", "iou: [0.4, 0.7]", "objective: f1\n"),
        "space",
        "`hpo sweep`",
        _study("", "iou: [0.4, 0.7], mosaic: [0, 1]", "objective: f1\n"),
    ),
    "a swept name has a condition": Case(
        _study("", "optimizer: {choices: [SGD, AdamW]}, iou: {low: 0.4, high: 0.7, when: {optimizer: SGD}}"),
        "space.iou",
        "whatever was trained",
        _study(
            "",
            "optimizer: {choices: [SGD, AdamW]}, iou: {low: 0.4, high: 0.7, when: {optimizer: SGD}}",
            "postprocess: sampled\n",
        ),
    ),
    "a condition names what is swept": Case(
        _study("", "agnostic_nms: {choices: [true, false]}, mosaic: {low: 0, high: 1, when: {agnostic_nms: true}}"),
        "space.mosaic",
        "has no value before",
        _study("", "agnostic_nms: {choices: [true, false]}, mosaic: [0, 1]"),
    ),
    "more thresholds than a sweep takes": Case(
        _study("", "mosaic: [0, 1], iou: {low: 0.2, high: 0.84, step: 0.01}"),
        "space.iou",
        "65 thresholds",
        _study("", "mosaic: [0, 1], iou: {low: 0.2, high: 0.83, step: 0.01}"),
    ),
    "a threshold of 0 is swept": Case(
        _study("", "mosaic: [0, 1], iou: [0, 0.5]"),
        "space.iou",
        "above 0",
        _study("", "mosaic: [0, 1], iou: [0.1, 0.5]"),
    ),
    "single confidences are swept": Case(
        _study("", "mosaic: [0, 1], conf: {choices: [0.1, 0.2]}", "objective: f1\n"),
        "space.conf",
        "a range such as",
        _study("", "mosaic: [0, 1], conf: 0.2", "objective: f1\n"),
    ),
    "a confidence on a scale is swept": Case(
        _study("", "mosaic: [0, 1], conf: {low: 0.1, high: 0.5, log: true}", "objective: f1\n"),
        "space.conf",
        "drop `log`",
        _study("", "mosaic: [0, 1], conf: {low: 0.1, high: 0.5}", "objective: f1\n"),
    ),
    "a confidence below the floor": Case(
        _study("", "mosaic: [0, 1], conf: 0.0001", "objective: f1\n"),
        "space.conf",
        "never looked at",
        _study("", "mosaic: [0, 1], conf: [0.0001, 0.5]", "objective: f1\n"),
    ),
    "max_det is swept one by one": Case(
        _study("", "mosaic: [0, 1], max_det: [1, 300]"),
        "space.max_det",
        "asks for 300 values",
        _study("", "mosaic: [0, 1], max_det: {low: 100, high: 300, step: 100}"),
    ),
    "a grid over a range that is searched beside what is swept": Case(
        _study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "search: {sampler: grid}\n"),
        "space.mosaic",
        "`step` or choices",
        _study("", "mosaic: {low: 0, high: 1, step: 0.5}, iou: [0.4, 0.7]", "search: {sampler: grid}\n"),
    ),
    "a post-processing name under postprocess none": Case(
        _study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "postprocess: none\n"),
        "postprocess",
        "the space names iou",
        _study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "postprocess: sampled\n"),
    ),
    "postprocess sampled with nothing to sample": Case(
        _study("", "mosaic: [0, 1]", "postprocess: sampled\n"),
        "postprocess",
        "add the part nms",
        _study("", "mosaic: [0, 1]", "postprocess: none\n"),
    ),
    "a grid over a range without steps": Case(
        _study("", "mosaic: [0, 1]", "search: {sampler: grid}\n"),
        "space.mosaic",
        "`step` or choices",
        _study("", "mosaic: {low: 0, high: 1, step: 0.5}, batch: [4, 8]", "search: {sampler: grid}\n"),
    ),
    "nothing is sampled": Case(
        _study("", "mosaic: 0.5"), "space", "samples nothing", _study("", "mosaic: {choices: [0.5, 1.0]}")
    ),
    "fixed in train and sampled": Case(
        _study("mosaic: 0.5", "mosaic: [0, 1]"), "train.mosaic", "drop it here", _study("mixup: 0.5", "mosaic: [0, 1]")
    ),
    "halving ends before it begins": Case(
        _study("", "mosaic: [0, 1]", "search: {pruner: {name: hyperband, min_resource: 9, max_resource: 5}}\n"),
        "search.pruner",
        "swap",
        _study("", "mosaic: [0, 1]", "search: {pruner: {name: hyperband, min_resource: 5, max_resource: 9}}\n"),
    ),
    "batch left to the GPU": Case(
        _study("batch: -1", "mosaic: [0, 1]"),
        "train.batch",
        "whole number from 1",
        _study("batch: 1", "mosaic: [0, 1]"),
    ),
    "an image size that would be rounded": Case(
        _study("imgsz: 100", "mosaic: [0, 1]"), "train.imgsz", "write 96 or 128", _study("imgsz: 96", "mosaic: [0, 1]")
    ),
    "lr0 above 1": Case(
        _study("optimizer: SGD, lr0: 1.5", "mosaic: [0, 1]"),
        "train.lr0",
        "outside 0 to 1",
        _study("optimizer: SGD, lr0: 1", "mosaic: [0, 1]"),
    ),
    "label_smoothing is gone": Case(
        _study("label_smoothing: 0.1", "mosaic: [0, 1]"),
        "train.label_smoothing",
        "removed it",
        _study("cls_pw: 0.1", "mosaic: [0, 1]"),
    ),
    "training with 8-bit weights": Case(
        _study("quantize: 8", "mosaic: [0, 1]"),
        "train.quantize",
        "nvidia-modelopt",
        _study("amp: bf16", "mosaic: [0, 1]"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_is_refused_and_its_neighbour_is_not(studio: Studio, case: Case) -> None:
    problem = studio.problem(text=case.refused)
    assert problem.path == case.path
    assert case.says in problem.message
    assert problem.line > 0
    studio.load(text=case.accepted)


PROMISED = {
    *("device", "save_dir", "project", "name", "exist_ok", "resume", "time", "val", "save", "plots", "patience"),
    *("fraction", "conf", "iou", "max_det", "agnostic_nms"),
}


@pytest.mark.parametrize("name", sorted(PROMISED | set(arguments.OWNED)))
def test_train_refuses_what_the_service_owns_and_says_what_does_it(studio: Studio, name: str) -> None:
    problem = studio.problem(text=_study(f"{name}: 1", "mosaic: [0, 1]"))
    assert problem.path == f"train.{name}"
    assert problem.message == f"is set by hpo: {arguments.OWNED[name]}"


def test_several_devices_are_refused_with_the_way_to_use_them(studio: Studio) -> None:
    assert "several trials at a time" in studio.problem("train.device=[0, 1]").message


# with the dataset and the model


def _dataset(images: int = 100, boxes: int = 300, polygons: int = 0) -> DatasetSummary:
    split = SplitSummary(images=images, labelled=images, background=0, boxes=boxes, polygons=polygons)
    return DatasetSummary("/d/data.yaml", ("a", "b"), {"train": split, "val": split}, "0")


def _messages(
    studio: Studio, text: str, dataset: DatasetSummary, model: ModelFacts | None = DETECTOR
) -> dict[str, str]:
    return {finding.path: finding.message for finding in check_facts(studio.load(text=text), dataset, model)}


@pytest.mark.parametrize("where", ["space", "train"])
def test_copy_paste_needs_polygons(studio: Studio, where: str) -> None:
    text = _study("", "copy_paste: [0, 1]") if where == "space" else _study("copy_paste: 0.5", "mosaic: [0, 1]")
    path = f"{where}.copy_paste"
    assert "no label is" in _messages(studio, text, _dataset())[path]
    assert "only 100 of 300" in _messages(studio, text, _dataset(polygons=100))[path]
    assert not _messages(studio, text, _dataset(polygons=300))
    assert not _messages(studio, _study("copy_paste: 0", "mosaic: [0, 1]"), _dataset())


def test_iou_needs_a_head_with_suppression(studio: Studio) -> None:
    without = ModelFacts(head_has_nms=False, task="detect")
    text = _study("", "mosaic: [0, 1], iou: [0.4, 0.7], conf: [0.1, 0.5]", "objective: f1\n")
    assert list(_messages(studio, text, _dataset(), without)) == ["space.iou"]
    assert not _messages(studio, text, _dataset())
    assert not _messages(studio, text.replace("iou: [0.4, 0.7], ", ""), _dataset(), without)
    assert not _messages(studio, text, _dataset(), None)


def test_a_condition_names_classes_of_the_dataset(studio: Studio) -> None:
    text = _study("", "mosaic: [0, 1]", "objective: 'f1 at recall[a] >= 0.5 and precision[bb] >= 0.5'\n")
    message = _messages(studio, text, _dataset())["objective"]
    assert "no class bb; did you mean b?" in message
    assert not _messages(studio, text.replace("[bb]", "[b]"), _dataset())


def test_a_model_of_another_task_is_refused(studio: Studio) -> None:
    segment = ModelFacts(head_has_nms=True, task="segment")
    assert "segment" in _messages(studio, _study("", "mosaic: [0, 1]"), _dataset(), segment)["model"]


@pytest.mark.parametrize(
    ("train", "space", "images", "refused"),
    [
        ("batch: 8, imgsz: 32", "mosaic: [0, 1]", 41, True),
        ("batch: 8, imgsz: 32", "mosaic: [0, 1]", 40, False),
        ("batch: 8, imgsz: 64", "mosaic: [0, 1]", 41, False),
        ("batch: 8, imgsz: 64, multi_scale: 0.5", "mosaic: [0, 1]", 41, True),
        ("batch: 8", "imgsz: [32, 64]", 41, True),
        ("imgsz: 32", "batch: [4, 8]", 41, True),
        ("imgsz: 32", "batch: [4, 8]", 48, False),
        ("batch: 1, imgsz: 32", "mosaic: [0, 1]", 40, True),
    ],
)
def test_a_last_batch_of_one_small_image_is_refused(
    studio: Studio, train: str, space: str, images: int, refused: bool
) -> None:
    found = _messages(studio, _study(train, space), _dataset(images=images))
    assert bool(found) == refused
