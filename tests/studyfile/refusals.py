"""Studies that are refused, each with its message, and the nearest case that is accepted."""

from __future__ import annotations

from dataclasses import dataclass


def study(train: str, space: str, rest: str = "") -> str:
    head = "name: demo\ndata: data.yaml\nmodel: yolov8n.yaml\n"
    return f"{head}train: {{{train}}}\nspace: {{{space}}}\n{rest}"


@dataclass(frozen=True)
class Case:
    refused: str
    path: str
    says: str
    accepted: str


CASES = {
    "classes are sampled": Case(
        study("", "mosaic: [0, 1], classes: {choices: [0, 1]}"),
        "space.classes",
        "can't be compared",
        study("classes: [0, 1]", "mosaic: [0, 1]"),
    ),
    "some classes are trained as one": Case(
        study("classes: [0, 1], single_cls: true", "mosaic: [0, 1]"),
        "train.classes",
        "drop one of the two",
        study("single_cls: true", "mosaic: [0, 1]"),
    ),
    "the baseline's recipe gives lr0 without an optimizer": Case(
        study("", "mosaic: [0, 1]", "baseline: {train: {lr0: 0.02}}\n"),
        "baseline.train.lr0",
        "name the recipe's optimizer",
        study("", "mosaic: [0, 1]", "baseline: {train: {lr0: 0.02, optimizer: SGD}}\n"),
    ),
    "the baseline's recipe warms biases up from a rate that optimizer auto replaces": Case(
        study("", "mosaic: [0, 1]", "baseline: {train: {optimizer: auto, warmup_bias_lr: 0.01}}\n"),
        "baseline.train.warmup_bias_lr",
        "ignores it",
        study("", "mosaic: [0, 1]", "baseline: {train: {optimizer: auto, warmup_epochs: 1}}\n"),
    ),
    "the baseline's recipe has another length": Case(
        study("", "mosaic: [0, 1]", "baseline: {train: {epochs: 9}}\n"),
        "baseline.train.epochs",
        "the same in every trial",
        study("epochs: 9", "mosaic: [0, 1]", "baseline: {train: {nbs: 8}}\n"),
    ),
    "a range follows the optimizer, and has bounds of its own": Case(
        study("", "lr0: {follows: optimizer, low: 1e-3}"),
        "space.lr0",
        "drop `low`",
        study("", "lr0: {follows: optimizer}"),
    ),
    "another range than that of lr0 follows the optimizer": Case(
        study("", "lrf: {follows: optimizer}"), "space.lrf", "for lr0 only", study("", "lrf: [0.01, 1]")
    ),
    "a range follows something else": Case(
        study("", "lr0: {follows: batch}"),
        "space.lr0.follows",
        "must be optimizer",
        study("", "lr0: {follows: optimizer}"),
    ),
    "auto is one of the optimizers to choose from": Case(
        study("", "optimizer: {choices: [SGD, auto]}"),
        "space.optimizer",
        "a rule, not an optimizer",
        study("", "optimizer: {choices: [SGD, AdamW]}"),
    ),
    "mosaic is sampled but closed from the start": Case(
        study("epochs: 10, close_mosaic: 10", "mosaic: [0, 1]"),
        "space.mosaic",
        "close_mosaic (10) is not below epochs (10)",
        study("epochs: 11, close_mosaic: 10", "mosaic: [0, 1]"),
    ),
    "mixup is sampled but may be closed from the start": Case(
        study("epochs: 5", "mixup: [0, 1], close_mosaic: [0, 5]"),
        "space.mixup",
        "does nothing where close_mosaic (5)",
        study("epochs: 5", "mixup: [0, 1], close_mosaic: [0, 4]"),
    ),
    "cutmix is sampled but closed, and close_mosaic left out would be tied to epochs": Case(
        study("epochs: 3, close_mosaic: 3", "cutmix: [0, 1]"),
        "space.cutmix",
        "leave it out",
        study("epochs: 3", "cutmix: [0, 1]"),
    ),
    "mosaic is sampled but switched off by rect": Case(
        study("rect: true", "mosaic: [0, 1]"), "space.mosaic", "rect: true", study("rect: false", "mosaic: [0, 1]")
    ),
    "erasing is for classification": Case(
        study("", "erasing: [0, 1]"), "space.erasing", "classification", study("", "hsv_h: [0, 1]")
    ),
    "dropout is for classification": Case(
        study("", "dropout: [0, 0.5]"), "space.dropout", "classification", study("", "mixup: [0, 0.5]")
    ),
    "pose is a gain of another task": Case(
        study("", "pose: [1, 20]"), "space.pose", "other tasks", study("", "box: [1, 20]")
    ),
    "dis weighs a teacher that is not there": Case(
        study("", "dis: [1, 9]"), "space.dis", "distill_model", study("distill_model: t.pt", "dis: [1, 9]")
    ),
    "the branch that is measured is sampled": Case(
        study("", "nms: {choices: [true, false]}"), "space.nms", "what is measured", study("", "box: [1, 20]")
    ),
    "compile is sampled": Case(
        study("", "compile: {choices: [true, false]}"),
        "space.compile",
        "fix it",
        study("compile: true", "box: [1, 20]"),
    ),
    "channels_last is sampled": Case(
        study("", "channels_last: {choices: [true, false]}"),
        "space.channels_last",
        "fix it",
        study("channels_last: true", "box: [1, 20]"),
    ),
    "workers is sampled": Case(
        study("", "workers: {choices: [1, 2]}"), "space.workers", "fix it", study("workers: 2", "box: [1, 20]")
    ),
    "deterministic is sampled": Case(
        study("", "deterministic: {choices: [true, false]}"),
        "space.deterministic",
        "fix it",
        study("deterministic: false", "box: [1, 20]"),
    ),
    "classes are remapped from no weights": Case(
        study("", "cls_remap: {choices: [true, false]}"),
        "space.cls_remap",
        "starts from no weights",
        study("", "cls_remap: {choices: [true, false]}").replace("yolov8n.yaml", "yolov8n.pt"),
    ),
    "no weights are started from": Case(
        study("", "pretrained: {choices: [true, false]}"),
        "space.pretrained",
        "starts from no weights",
        study("", "pretrained: {choices: [true, false]}").replace("yolov8n.yaml", "yolov8n.pt"),
    ),
    "copy_paste_mode without copy_paste": Case(
        study("", "copy_paste_mode: {choices: [flip, mixup]}"),
        "space.copy_paste_mode",
        "copy_paste is 0",
        study("copy_paste: 0.5", "copy_paste_mode: {choices: [flip, mixup]}"),
    ),
    "close_mosaic closes nothing": Case(
        study("mosaic: 0", "close_mosaic: [0, 9]"),
        "space.close_mosaic",
        "all 0",
        study("mosaic: 0, mixup: 0.1", "close_mosaic: [0, 9]"),
    ),
    "warmup_momentum under Adam": Case(
        study("optimizer: AdamW", "warmup_momentum: [0, 0.9]"),
        "space.warmup_momentum",
        "AdamW",
        study("optimizer: RMSprop", "warmup_momentum: [0, 0.9]"),
    ),
    "warmup_momentum where the optimizer may be Adam": Case(
        study("", "optimizer: {choices: [SGD, AdamW]}, warmup_momentum: [0, 0.9]"),
        "space.warmup_momentum",
        "when: {optimizer: SGD}",
        study("", "optimizer: {choices: [SGD, AdamW]}, warmup_momentum: {low: 0, high: 0.9, when: {optimizer: SGD}}"),
    ),
    "warm-up may last longer than the training": Case(
        study("epochs: 5", "warmup_epochs: [0, 5]"),
        "space.warmup_epochs",
        "epochs - 1 = 4",
        study("epochs: 5", "warmup_epochs: [0, 4]"),
    ),
    "warm-up lasts as long as the training": Case(
        study("epochs: 3, warmup_epochs: 3", "mosaic: [0, 1]"),
        "train.warmup_epochs",
        "epochs - 1 = 2",
        study("epochs: 3", "mosaic: [0, 1]"),
    ),
    "warmup_bias_lr without warm-up": Case(
        study("optimizer: SGD, warmup_epochs: 0", "warmup_bias_lr: [0, 0.1]"),
        "space.warmup_bias_lr",
        "without warm-up",
        study("optimizer: SGD, warmup_epochs: 0.5", "warmup_bias_lr: [0, 0.1]"),
    ),
    "conf is sampled under map50": Case(
        study("", "conf: [0.1, 0.5]", "objective: map50\npostprocess: sampled\n"),
        "space.conf",
        "objective: f1",
        study("", "conf: [0.1, 0.5]", "objective: f1\npostprocess: sampled\n"),
    ),
    "conf is sampled under precision": Case(
        study("", "conf: [0.1, 0.5], iou: [0.4, 0.7]", "objective: precision\npostprocess: sampled\n"),
        "space.conf",
        "run to a bound",
        study("", "conf: 0.3, iou: [0.4, 0.7]", "objective: precision\npostprocess: sampled\n"),
    ),
    "conf is sampled under recall": Case(
        study("", "conf: [0.1, 0.5]", "objective: recall\npostprocess: sampled\n"),
        "space.conf",
        "leave conf out",
        study("", "iou: [0.4, 0.7]", "objective: recall\npostprocess: sampled\n"),
    ),
    "recall alone is swept": Case(
        study("", "mosaic: [0, 1], conf: [0.1, 0.5]", "objective: recall\n"),
        "objective",
        "`recall at precision >= 0.9`",
        study("", "mosaic: [0, 1], conf: [0.1, 0.5]", "objective: recall at precision >= 0.9\n"),
    ),
    "precision is swept, and nothing holds it back": Case(
        study("", "mosaic: [0, 1]", "objective: precision at fp_per_image <= 1\n"),
        "objective",
        "run to a bound",
        study("", "mosaic: [0, 1]", "objective: precision at recall >= 0.1 and fp_per_image <= 1\n"),
    ),
    "an objective that is not plain without a sweep": Case(
        study("", "mosaic: [0, 1]", "objective: f2\npostprocess: none\n"),
        "objective",
        "write `postprocess: swept`",
        study("", "mosaic: [0, 1]", "objective: f1\npostprocess: none\n"),
    ),
    "an objective that is not plain while the setting is sampled": Case(
        study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "objective: f1 micro\npostprocess: sampled\n"),
        "objective",
        "`postprocess: sampled` makes none",
        study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "objective: f1\npostprocess: sampled\n"),
    ),
    "a condition on a class of a model that knows one": Case(
        study("single_cls: true", "mosaic: [0, 1]", "objective: 'f1 at recall[a] >= 0.5'\n"),
        "objective",
        "tells no classes apart",
        study("single_cls: true", "mosaic: [0, 1]", "objective: f1 at recall >= 0.5\n"),
    ),
    "nothing is left to search once the rest is swept": Case(
        study("", "iou: [0.4, 0.7]", "objective: f1\n"),
        "space",
        "`hpo sweep`",
        study("", "iou: [0.4, 0.7], mosaic: [0, 1]", "objective: f1\n"),
    ),
    "a swept name has a condition": Case(
        study("", "optimizer: {choices: [SGD, AdamW]}, iou: {low: 0.4, high: 0.7, when: {optimizer: SGD}}"),
        "space.iou",
        "whatever was trained",
        study(
            "",
            "optimizer: {choices: [SGD, AdamW]}, iou: {low: 0.4, high: 0.7, when: {optimizer: SGD}}",
            "postprocess: sampled\n",
        ),
    ),
    "a condition names what is swept": Case(
        study("", "agnostic_nms: {choices: [true, false]}, mosaic: {low: 0, high: 1, when: {agnostic_nms: true}}"),
        "space.mosaic",
        "has no value before",
        study("", "agnostic_nms: {choices: [true, false]}, mosaic: [0, 1]"),
    ),
    "more thresholds than a sweep takes": Case(
        study("", "mosaic: [0, 1], iou: {low: 0.2, high: 0.84, step: 0.01}"),
        "space.iou",
        "65 thresholds",
        study("", "mosaic: [0, 1], iou: {low: 0.2, high: 0.83, step: 0.01}"),
    ),
    "a threshold of 0 is swept": Case(
        study("", "mosaic: [0, 1], iou: [0, 0.5]"),
        "space.iou",
        "above 0",
        study("", "mosaic: [0, 1], iou: [0.1, 0.5]"),
    ),
    "single confidences are swept": Case(
        study("", "mosaic: [0, 1], conf: {choices: [0.1, 0.2]}", "objective: f1\n"),
        "space.conf",
        "a range such as",
        study("", "mosaic: [0, 1], conf: 0.2", "objective: f1\n"),
    ),
    "a confidence on a scale is swept": Case(
        study("", "mosaic: [0, 1], conf: {low: 0.1, high: 0.5, log: true}", "objective: f1\n"),
        "space.conf",
        "drop `log`",
        study("", "mosaic: [0, 1], conf: {low: 0.1, high: 0.5}", "objective: f1\n"),
    ),
    "a confidence below the floor": Case(
        study("", "mosaic: [0, 1], conf: 0.0001", "objective: f1\n"),
        "space.conf",
        "never looked at",
        study("", "mosaic: [0, 1], conf: [0.0001, 0.5]", "objective: f1\n"),
    ),
    "max_det is swept one by one": Case(
        study("", "mosaic: [0, 1], max_det: [1, 300]"),
        "space.max_det",
        "asks for 300 values",
        study("", "mosaic: [0, 1], max_det: {low: 100, high: 300, step: 100}"),
    ),
    "a grid over a range that is searched beside what is swept": Case(
        study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "search: {sampler: grid}\n"),
        "space.mosaic",
        "`step` or choices",
        study("", "mosaic: {low: 0, high: 1, step: 0.5}, iou: [0.4, 0.7]", "search: {sampler: grid}\n"),
    ),
    "a post-processing name under postprocess none": Case(
        study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "postprocess: none\n"),
        "postprocess",
        "the space names iou",
        study("", "mosaic: [0, 1], iou: [0.4, 0.7]", "postprocess: sampled\n"),
    ),
    "postprocess sampled with nothing to sample": Case(
        study("", "mosaic: [0, 1]", "postprocess: sampled\n"),
        "postprocess",
        "add the part nms",
        study("", "mosaic: [0, 1]", "postprocess: none\n"),
    ),
    "a grid over a range without steps": Case(
        study("", "mosaic: [0, 1]", "search: {sampler: grid}\n"),
        "space.mosaic",
        "`step` or choices",
        study("", "mosaic: {low: 0, high: 1, step: 0.5}, batch: [4, 8]", "search: {sampler: grid}\n"),
    ),
    "nothing is sampled": Case(
        study("", "mosaic: 0.5"), "space", "samples nothing", study("", "mosaic: {choices: [0.5, 1.0]}")
    ),
    "fixed in train and sampled": Case(
        study("mosaic: 0.5", "mosaic: [0, 1]"), "train.mosaic", "drop it here", study("mixup: 0.5", "mosaic: [0, 1]")
    ),
    "halving ends before it begins": Case(
        study("", "mosaic: [0, 1]", "search: {pruner: {name: hyperband, min_resource: 9, max_resource: 5}}\n"),
        "search.pruner",
        "swap",
        study("", "mosaic: [0, 1]", "search: {pruner: {name: hyperband, min_resource: 5, max_resource: 9}}\n"),
    ),
    "batch left to the GPU": Case(
        study("batch: -1", "mosaic: [0, 1]"),
        "train.batch",
        "whole number from 1",
        study("batch: 1", "mosaic: [0, 1]"),
    ),
    "an image size that would be rounded": Case(
        study("imgsz: 100", "mosaic: [0, 1]"), "train.imgsz", "write 96 or 128", study("imgsz: 96", "mosaic: [0, 1]")
    ),
    "lr0 above 1": Case(
        study("optimizer: SGD, lr0: 1.5", "mosaic: [0, 1]"),
        "train.lr0",
        "outside 0 to 1",
        study("optimizer: SGD, lr0: 1", "mosaic: [0, 1]"),
    ),
    "label_smoothing is gone": Case(
        study("label_smoothing: 0.1", "mosaic: [0, 1]"),
        "train.label_smoothing",
        "removed it",
        study("cls_pw: 0.1", "mosaic: [0, 1]"),
    ),
    "training with 8-bit weights": Case(
        study("quantize: 8", "mosaic: [0, 1]"),
        "train.quantize",
        "nvidia-modelopt",
        study("amp: bf16", "mosaic: [0, 1]"),
    ),
}
