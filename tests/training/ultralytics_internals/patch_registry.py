"""Every place where a training differs from stock Ultralytics, or repeats a private part of Ultralytics.

Each names the source that it replaces, overrides or repeats, with a digest of it. A test fails by the name of the patch
when another Ultralytics has another source there. Then compare both sources, change the patch where necessary, and
write down the new digest.
"""

from __future__ import annotations

from dataclasses import dataclass

RELEASE = "8.4.190"
"""The release that the digests belong to; pyproject.toml pins the same."""


@dataclass(frozen=True)
class Patch:
    """One difference, or one repeated part."""

    name: str
    target: str
    """File below Ultralytics' package and qualified name: ``utils/nms.py:non_max_suppression``."""
    reason: str
    """What differs here and why, or what here relies on it."""
    digest: str
    """Digest of the target's code in ``RELEASE``."""


PATCHES = (
    Patch(
        "torch threads",
        "utils/torch_utils.py:select_device",
        "reads NUM_THREADS, which becomes the trial's share of the cores that this process may use",
        "d70e1d16a3fb994e",
    ),
    Patch(
        "label cache",
        "data/utils.py:save_dataset_cache_file",
        "replaced: the labels are kept in the service's own cache, in a file of arrays",
        "b2a95199f18f817c",
    ),
    Patch(
        "labels that are known",
        "data/dataset.py:YOLODataset._load_or_scan_cache",
        "replaced: no pickle beside the labels is read",
        "2ec11c38876afe3b",
    ),
    Patch(
        "scan of the labels",
        "data/dataset.py:YOLODataset.cache_labels",
        "its result, to the last field, is what LabelCache keeps",
        "de639f20cfe4b715",
    ),
    Patch(
        "labels of a split",
        "data/dataset.py:YOLODataset.get_labels",
        "takes apart what LabelCache gives",
        "3acf105e4852a92b",
    ),
    Patch(
        "repair of an image",
        "data/utils.py:check_image",
        "repeated in hpo.dataset.repair, which images it saves anew",
        "ed393362539779b2",
    ),
    Patch(
        "repaired image",
        "data/utils.py:_exif_jpeg",
        "repeated in hpo.dataset.repair, what it saves",
        "488e50bd1b15e4f7",
    ),
    Patch(
        "repaired image in its place",
        "data/utils.py:_replace_image",
        "replaced: the repaired image is kept in the service's own cache, and the user's file stays",
        "fce6d56442500fa4",
    ),
    Patch(
        "image of a training",
        "data/base.py:BaseDataset.load_image",
        "reads by imread, which is replaced, or from npy_files, which lie in the service's own cache",
        "bbdec89887a89ae5",
    ),
    Patch(
        "decoded images",
        "data/base.py:BaseDataset.cache_images_to_disk",
        "replaced: written whole, into the service's own cache",
        "fcf9e7d320b34d39",
    ),
    Patch(
        "space for decoded images",
        "data/base.py:BaseDataset.check_cache_disk",
        "replaced: the space where they are kept; as many random numbers are drawn",
        "41483dee512c1876",
    ),
    Patch(
        "images of a dataset",
        "data/base.py:BaseDataset.__init__",
        "sets npy_files, which is replaced by a property, before it caches images",
        "4b8528f6e4b66e87",
    ),
    Patch(
        "image of a prediction",
        "data/loaders.py:LoadImagesAndVideos.__next__",
        "reads by imread, which is replaced",
        "1e04c87a2b7f3f74",
    ),
    Patch(
        "AMP check",
        "utils/checks.py:check_amp",
        "replaced: the same list of broken GPUs without the download and run of a model",
        "7637f3ae18d00a67",
    ),
    Patch(
        "limit of detections",
        "models/yolo/detect/val.py:DetectionValidator._check_max_det",
        "not called at a chosen operating point: a limit of 300 is raised where an image has more labels",
        "6e3d0ef9dcd1c2ec",
    ),
    Patch(
        "NMS without a time limit",
        "utils/nms.py:non_max_suppression",
        "called with max_time_img, for a result must not depend on the clock; candidates_of repeats its first half",
        "1bb015a096857eb8",
    ),
    Patch(
        "safe loading",
        "nn/tasks.py:torch_safe_load",
        "reads SAFE_LOAD, which is on unless the user trusts the file; its texts are explained; in a trial, replaced: "
        "files are trusted by their content",
        "d8c613c925d949bb",
    ),
    Patch(
        "safe classes",
        "nn/tasks.py:_SafeLoad",
        "decides what weights may hold, and how an activation is read without eval",
        "cc3609f2f19c758b",
    ),
    Patch(
        "weights rewritten at the end",
        "utils/torch_utils.py:strip_optimizer",
        "unpickles without restriction what the trial has written; a best.pt out of a checkpoint is checked before",
        "97350e80fb2b6176",
    ),
    Patch(
        "building a model",
        "nn/tasks.py:parse_model",
        "what it evaluates and looks up in a YAML is checked before (hpo/studyfile/checks/layers.py)",
        "b5fa01c74077f5b3",
    ),
    Patch(
        "paths of weights",
        "utils/checks.py:check_suffix",
        "calls clean_url, which is replaced: a file of this machine is no URL, whatever its folder is called",
        "46460aa5baeaf7a6",
    ),
    Patch(
        "weights in any folder",
        "utils/downloads.py:attempt_download_asset",
        "replaced: a file of this machine is taken as it is named, an apostrophe included",
        "325dcbb3ef35c420",
    ),
    Patch(
        "model of a file",
        "nn/tasks.py:load_checkpoint",
        "its result is taken apart: the model, its task, names and arguments",
        "3490a7b4a9322457",
    ),
    Patch(
        "no integrations",
        "utils/callbacks/base.py:add_integration_callbacks",
        "attaches MLflow, Ray, ... to classes with Trainer in their name, which TrialRun has not",
        "e9806f1ffe2cee80",
    ),
    Patch(
        "validator of a trial",
        "models/yolo/detect/train.py:DetectionTrainer.get_validator",
        "overridden: a validator that keeps detections, at the trial's operating point",
        "1d5fdde84fe5aa60",
    ),
    Patch(
        "objective as fitness",
        "engine/trainer.py:BaseTrainer.validate",
        "overridden: the objective decides which epoch is best.pt",
        "39dd54d04ae1a823",
    ),
    Patch(
        "no smaller batch",
        "models/yolo/detect/train.py:DetectionTrainer._build_train_pipeline",
        "overridden: after running out of memory the trial ends instead of training with another batch",
        "8fc338cd4eac46c7",
    ),
    Patch(
        "no second try after NaN",
        "engine/trainer.py:BaseTrainer._handle_nan_recovery",
        "overridden: divergence ends the trial",
        "d0c76f946c6606e3",
    ),
    Patch(
        "results without polars",
        "engine/trainer.py:BaseTrainer.read_results_csv",
        "overridden: the import of polars costs every trial CPU and starts threads",
        "9b5d204e107e1981",
    ),
    Patch(
        "going on",
        "engine/trainer.py:BaseTrainer.resume_training",
        "overridden: from our own checkpoint, bit for bit",
        "88423a08fce52cce",
    ),
    Patch(
        "training loop",
        "engine/trainer.py:BaseTrainer._do_train",
        "calls what is overridden, in the order that checkpoints, reports and ends rely on",
        "6bf897c506da9e62",
    ),
    Patch(
        "state of a training",
        "engine/trainer.py:BaseTrainer.save_model",
        "what it saves, and more, is in our checkpoints",
        "b8426deb44378858",
    ),
    Patch(
        "errors of data",
        "engine/trainer.py:BaseTrainer.get_dataset",
        "its words tell wrong data from other ends of a training",
        "6d13daf8e1a0fd82",
    ),
    Patch(
        "statistics of a validation",
        "models/yolo/detect/val.py:DetectionValidator.get_stats",
        "overridden: keeps the rows that it clears",
        "21d6a469831a5cc7",
    ),
    Patch(
        "start of a validation",
        "models/yolo/detect/val.py:DetectionValidator.init_metrics",
        "overridden: candidates are collected anew",
        "55b6f0cc46cf4271",
    ),
    Patch(
        "output of a validation",
        "models/yolo/detect/val.py:DetectionValidator.postprocess",
        "overridden: candidates are kept before suppression",
        "c2205bc193885e97",
    ),
    Patch(
        "labels of a validation",
        "models/yolo/detect/val.py:DetectionValidator._prepare_batch",
        "called: the labels that the metrics match",
        "d57a96f4ad13ca1c",
    ),
    Patch(
        "batch of a validation",
        "models/yolo/detect/val.py:DetectionValidator.update_metrics",
        "overridden: labels are kept beside the candidates",
        "85fa15b86ec1063a",
    ),
    Patch(
        "end of a validation",
        "models/yolo/detect/val.py:DetectionValidator.finalize_metrics",
        "overridden: a capture has no metrics",
        "0bd89d4d8c695f2d",
    ),
    Patch(
        "print of a validation",
        "models/yolo/detect/val.py:DetectionValidator.print_results",
        "overridden: a capture has nothing to print",
        "866b276681dd5cf7",
    ),
    Patch(
        "classes of the data",
        "models/yolo/detect/val.py:DetectionValidator.get_dataloader",
        "repeated in dataset_of: labels of classes that the model does not know",
        "45e3ccce9efb14a4",
    ),
    Patch(
        "suppression of a prediction",
        "models/yolo/detect/predict.py:DetectionPredictor.postprocess",
        "overridden: suppresses by the operating point",
        "28c0d280e6654cfb",
    ),
    Patch(
        "boxes in the image",
        "utils/ops.py:scale_boxes",
        "repeated in frame: from the network's input to the image",
        "9cebaa2ffadcf397",
    ),
    Patch(
        "description of the data",
        "data/utils.py:check_det_dataset",
        "probes the network for a font unless one is there; its result is read by key",
        "81597dfe83ff70cf",
    ),
    Patch(
        "order of the images",
        "data/build.py:InfiniteDataLoader",
        "its iterator is drawn forward where a training goes on",
        "bc8089777078cd75",
    ),
    Patch(
        "weights of two losses",
        "utils/loss.py:E2ELoss",
        "its count of updates is in our checkpoints",
        "4099aaa915cddd49",
    ),
    Patch(
        "branch of a validation",
        "engine/validator.py:BaseValidator.__call__",
        "measures the branch without NMS where `nms` is False, which a trial of two branches is given",
        "45747d819e2b7089",
    ),
    Patch(
        "RT-DETR's validator",
        "models/rtdetr/train.py:RTDETRTrainer.get_validator",
        "another validator, derived from RTDETRValidator, with the arguments of the trial's operating point",
        "c7fa32c21a0524a1",
    ),
    Patch(
        "RT-DETR's boxes in a validation",
        "models/rtdetr/val.py:RTDETRValidator.postprocess",
        "candidates_of_queries repeats its boxes, scores and order",
        "2bbb0f6d225e9220",
    ),
    Patch(
        "RT-DETR's boxes in a prediction",
        "models/rtdetr/predict.py:RTDETRPredictor.postprocess",
        "candidates_of_queries repeats its boxes, scores and order",
        "d34a282e8a68443a",
    ),
)
