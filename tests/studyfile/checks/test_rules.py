"""A setting without effect is refused before the first epoch: each rule, and the nearest case that is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hpo.dataset.description import describe
from hpo.dataset.summary import DatasetSummary, SplitSummary
from hpo.studyfile.arguments import arguments
from hpo.studyfile.checks.model import ModelFacts, without_effect
from hpo.studyfile.checks.rules import check_facts
from hpo.trial.families import Family
from tests.studyfile.conftest import Studio
from tests.studyfile.refusals import CASES, Case, study

DETECTOR = ModelFacts("detect", "Detect", Family.ONE_BRANCH)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_is_refused_and_its_neighbour_is_not(studio: Studio, case: Case) -> None:
    problem = studio.problem(text=case.refused)
    assert problem.path == case.path
    assert case.says in problem.message
    assert problem.line > 0
    (studio.folder / "t.pt").touch()
    studio.load(text=case.accepted)


PROMISED = {
    *("device", "save_dir", "project", "name", "exist_ok", "resume", "time", "val", "save", "plots", "patience"),
    *("fraction", "conf", "iou", "max_det", "agnostic_nms"),
}


@pytest.mark.parametrize("name", sorted(PROMISED | set(arguments.OWNED)))
def test_train_refuses_what_the_service_owns_and_says_what_does_it(studio: Studio, name: str) -> None:
    problem = studio.problem(text=study(f"{name}: 1", "mosaic: [0, 1]"))
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
    text = study("", "copy_paste: [0, 1]") if where == "space" else study("copy_paste: 0.5", "mosaic: [0, 1]")
    path = f"{where}.copy_paste"
    assert "no label is" in _messages(studio, text, _dataset())[path]
    assert "only 100 of 300" in _messages(studio, text, _dataset(polygons=100))[path]
    assert not _messages(studio, text, _dataset(polygons=300))
    assert not _messages(studio, study("copy_paste: 0", "mosaic: [0, 1]"), _dataset())


def test_iou_needs_a_head_with_suppression(studio: Studio) -> None:
    without = ModelFacts("detect", "Detect", Family.TWO_BRANCHES)
    text = study("", "mosaic: [0, 1], iou: [0.4, 0.7], conf: [0.1, 0.5]", "objective: f1\n")
    assert list(_messages(studio, text, _dataset(), without)) == ["space.iou"]
    assert not _messages(studio, text, _dataset())
    assert not _messages(studio, text.replace("iou: [0.4, 0.7], ", ""), _dataset(), without)
    assert not _messages(studio, text, _dataset(), None)


@pytest.fixture
def drawn(tmp_path: Path) -> DatasetSummary:
    """Classes a to d of which val lacks c; its objects are of 20 x 20 (a, b) and 60 x 60 pixels (d), train has all."""
    rows = {
        "train": "0 .5 .5 .9 .9\n1 .5 .5 .1 .2\n2 .5 .5 .1 .2\n",
        "val": "0 .5 .5 .1 .2\n1 .2 .2 .1 .2\n3 .5 .5 .3 .6",
    }
    for split, text in rows.items():
        for kind in ("images", "labels"):
            (tmp_path / "drawn" / kind / split).mkdir(parents=True)
        Image.new("RGB", (200, 100), "white" if split == "val" else "red").save(
            tmp_path / "drawn" / "images" / split / "one.png"
        )
        (tmp_path / "drawn" / "labels" / split / "one.txt").write_text(text, encoding="utf-8-sig")
    yaml = tmp_path / "drawn" / "data.yaml"
    yaml.write_text("train: images/train\nval: images/val\nnames: [a, b, c, d]\n")
    return describe(yaml)


def test_a_condition_names_classes_of_the_dataset(studio: Studio, drawn: DatasetSummary) -> None:
    text = study("", "mosaic: [0, 1]", "objective: 'f1 at recall[a] >= 0.5 and precision[bb] >= 0.5'\n")
    message = _messages(studio, text, drawn)["objective"]
    assert "no class bb; did you mean b?" in message
    assert not _messages(studio, text.replace("[bb]", "[b]"), drawn)


@pytest.mark.parametrize(
    ("train", "objective", "path", "says"),
    [
        ("", "recall at precision[c] >= 0.1", "objective", "split val has a label of c"),
        ("", "f1 at f1[b] >= 0.1 and recall[c] >= 0.1", "objective", "`recall[c] >= 0.1`: no image of the split val"),
        ("", "f1 at f1[b] >= 0.1 and recall[a] >= 0.1", None, ""),
        ("", "map_large", "objective", "split val has no large object"),
        ("", "map_medium", None, ""),
        ("", "map_small at recall[c] >= 0.2", "objective", "label of c"),
        ("classes: [0, 1]", "map_medium", "objective", "split val has no medium object"),
        ("classes: 3", "map_medium", None, ""),
        ("classes: [0, 3]", "f1 at recall[b] >= 0.1", "objective", "`train.classes` leaves b out: add 1"),
        ("classes: [0, 3]", "f1 at recall[d] >= 0.1", None, ""),
        ("classes: [2]", "map50", "train.classes", "split val has a label of c"),
        ("classes: [1, 4]", "map50", "train.classes", "no class 4: its 4 classes are 0 to 3"),
    ],
)
def test_what_val_lacks_or_is_not_trained_is_no_objective(
    studio: Studio, drawn: DatasetSummary, train: str, objective: str, path: str | None, says: str
) -> None:
    found = _messages(studio, study(train, "mosaic: [0, 1]", f"objective: '{objective}'\n"), drawn)
    assert list(found) == ([] if path is None else [path])
    assert path is None or says in found[path]


def test_sizes_of_images_that_can_not_be_opened_are_not_held_against_the_study(
    studio: Studio, drawn: DatasetSummary
) -> None:
    (Path(drawn.yaml).parent / "images" / "val" / "one.png").write_bytes(b"no picture")
    assert not _messages(studio, study("", "mosaic: [0, 1]", "objective: map_large\n"), drawn)


def test_a_model_of_another_task_is_refused(studio: Studio) -> None:
    segment = ModelFacts("segment", "Segment", None)
    assert "segment" in _messages(studio, study("", "mosaic: [0, 1]"), _dataset(), segment)["model"]


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
    found = _messages(studio, study(train, space), _dataset(images=images))
    assert bool(found) == refused


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("WorldDetect", "takes its classes from texts"),
        ("YOLOEDetect", "takes its classes from texts"),
        ("models.yolo.DetectionModel", "of the yolov5 repository"),
        ("Depth", "hpo does not train (Depth)"),
    ],
)
def test_a_network_that_is_not_trained_is_refused_by_name(studio: Studio, module: str, says: str) -> None:
    found = _messages(studio, study("", "mosaic: [0, 1]"), _dataset(), ModelFacts("detect", module, None))
    assert list(found) == ["model"]
    assert says in found["model"]


@pytest.mark.parametrize("name", ["box", "cls", "dfl", "cls_pw", "rect"])
def test_what_rtdetr_ignores_is_no_dimension_and_is_told_where_it_is_fixed(studio: Studio, name: str) -> None:
    rtdetr = ModelFacts("detect", "RTDETRDecoder", Family.QUERIES)
    domain = "{choices: [true, false]}" if name == "rect" else "[0.1, 0.9]"
    text = study("", f"{name}: {domain}, lrf: [0.1, 1]")
    assert "does nothing with this model" in _messages(studio, text, _dataset(), rtdetr)[f"space.{name}"]
    assert not _messages(studio, text, _dataset())
    text = study(f"{name}: {'true' if name == 'rect' else 0.5}", "lrf: [0.1, 1]")
    assert not _messages(studio, text, _dataset(), rtdetr)
    (line,) = without_effect(studio.load(text=text), rtdetr)
    assert line.startswith(f"train.{name} does nothing with this model")
    assert not without_effect(studio.load(text=text), DETECTOR)


def test_a_branch_that_is_not_deployed_is_not_measured(studio: Studio) -> None:
    branches = ModelFacts("detect", "Detect", Family.TWO_BRANCHES)
    other = study("nms: true", "mosaic: [0, 1]")
    assert "the one without NMS" in _messages(studio, other, _dataset(), branches)["train.nms"]
    assert not _messages(studio, other, _dataset())
    assert not _messages(studio, study("nms: false", "mosaic: [0, 1]"), _dataset(), branches)


def test_weights_take_images_of_the_channels_that_they_were_trained_on(studio: Studio, drawn: DatasetSummary) -> None:
    colour, grey = (ModelFacts("detect", "Detect", Family.ONE_BRANCH, channels) for channels in (3, 1))
    text = study("", "mosaic: [0, 1]")
    assert not _messages(studio, text, drawn, colour)
    assert "take images of 1 channels" in _messages(studio, text, drawn, grey)["model"]
    Path(drawn.yaml).write_text(Path(drawn.yaml).read_text() + "channels: 1\n")
    of_grey = describe(Path(drawn.yaml))
    assert not _messages(studio, text, of_grey, grey)
    assert "the data have 1" in _messages(studio, text, of_grey, colour)["model"]
    assert not _messages(studio, text, of_grey), "a .yaml takes any number"
