"""Description of a dataset: counts and every problem."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.dataset.description import describe
from hpo.dataset.summary import SplitSummary
from hpo.errors import SpecError

Make = Callable[[str], Path]


def problems(yaml: Path) -> list[tuple[str, int, str, str]]:
    """Return (file's name, line, key path, message) of each problem."""
    with pytest.raises(SpecError) as caught:
        describe(yaml)
    return [(Path(found.file).name, found.line, found.path, found.message) for found in caught.value.problems]


def only_problem(yaml: Path) -> tuple[str, int, str, str]:
    found = problems(yaml)
    assert len(found) == 1, found
    return found[0]


def test_images_labels_and_boxes_are_counted(dataset: Path) -> None:
    summary = describe(dataset)
    assert summary.names == ("cat", "dog")
    assert summary.splits == {
        "train": SplitSummary(images=2, labelled=1, background=1, boxes=2, polygons=0, most=2),
        "val": SplitSummary(images=1, labelled=1, background=0, boxes=1, polygons=0, most=1),
    }
    assert summary.yaml == str(dataset)


def test_an_empty_label_file_is_background(dataset: Path) -> None:
    (dataset.parent / "labels/train/b.txt").write_text("\n")
    assert describe(dataset).splits["train"].background == 1


def test_folders_are_searched_to_any_depth_without_hidden_files(dataset: Path) -> None:
    deep = dataset.parent / "images/train/deep/er"
    deep.mkdir(parents=True)
    (deep / "x.PNG").touch()
    (deep / "._x.png").touch()
    (deep / "notes.txt").touch()
    assert describe(dataset).splits["train"].images == 3


def test_polygons_are_boxes_too(dataset: Path) -> None:
    (dataset.parent / "labels/val/c.txt").write_text("0 0.1 0.1 0.9 0.1 0.5 0.9\n1 0 0 0 1 1 1 1 0\n")
    assert describe(dataset).splits["val"] == SplitSummary(
        images=1, labelled=1, background=0, boxes=2, polygons=2, most=2
    )


def test_a_repeated_row_counts_once(dataset: Path) -> None:
    (dataset.parent / "labels/val/c.txt").write_text("0 .5 .5 .1 .1\n0 0.5 0.5 0.1 0.1\n")
    assert describe(dataset).splits["val"].boxes == 1


def test_path_starts_at_the_folder_of_the_file_and_not_at_the_working_folder(
    tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere" / "set").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    yaml = tmp_path / "other.yaml"
    yaml.write_text("path: set\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n")
    assert describe(yaml).splits == describe(dataset).splits


def test_lists_and_lists_of_lists_name_images(dataset_with: Make) -> None:
    yaml = dataset_with("train: [images/train, more.txt]\nval: val.txt\nnames: [cat, dog]\n")
    folder = yaml.parent
    (folder / "more.txt").write_text("./images/val/c.jpg\n./images/val/c.jpg\n\n")
    (folder / "val.txt").write_text(f"{folder}/images/val/c.jpg")
    splits = describe(yaml).splits
    assert splits["train"] == SplitSummary(images=4, labelled=3, background=1, boxes=4, polygons=0, most=2)
    assert splits["val"].images == 1


def test_labels_of_an_image_outside_an_images_folder_lie_beside_it(dataset_with: Make) -> None:
    yaml = dataset_with("train: flat\nval: images/val\nnames: [cat, dog]\n")
    (yaml.parent / "flat").mkdir()
    (yaml.parent / "flat/a.jpg").touch()
    (yaml.parent / "flat/a.txt").write_text("0 .5 .5 .1 .1\n")
    assert describe(yaml).splits["train"].labelled == 1


def test_validation_is_another_word_for_val(dataset_with: Make) -> None:
    yaml = dataset_with("train: images/train\nvalidation: images/val\nnames: [cat, dog]\n")
    assert list(describe(yaml).splits) == ["train", "val"]


def test_the_same_image_in_train_and_val_is_no_error(dataset: Path) -> None:
    (dataset.parent / "images/val/c.jpg").write_bytes((dataset.parent / "images/train/a.jpg").read_bytes())
    assert describe(dataset).splits["val"].images == 1


def test_images_of_val_that_are_in_train_too_are_counted(dataset: Path) -> None:
    assert describe(dataset).in_train == 0
    (dataset.parent / "images/val/c.jpg").write_bytes((dataset.parent / "images/train/a.jpg").read_bytes())
    assert describe(dataset).in_train == 1


@pytest.mark.parametrize(
    ("yaml", "line", "path", "message"),
    [
        ("train: images/train\nnames: [cat, dog]\n", 0, "val", "is missing"),
        ("train: images/train\nval:\nnames: [cat, dog]\n", 2, "val", "is missing"),
        ("train: images/train\nval: images/nowhere\nnames: [cat, dog]\n", 2, "val", "images/nowhere does not exist"),
        ("train: images/train\nval: images/val\ntest: no\nnames: [cat, dog]\n", 3, "test", "or remove the key"),
        ("train: images/train\nval: {a: b}\nnames: [cat, dog]\n", 2, "val", "must be a folder"),
        ("train: images/train\nval: images/val\n", 0, "names", "are missing"),
        ("train: images/train\nval: images/val\nnames: []\n", 3, "names", "at least one class"),
        ("train: images/train\nval: images/val\nnames: cat\n", 3, "names", "must be a list"),
        ("train: images/train\nval: images/val\nnames: {0: cat, 2: dog}\n", 3, "names", "0 to 1"),
        ("train: images/train\nval: images/val\nnc: 3\nnames: [cat, dog]\n", 3, "nc", "is 3, but `names` has 2"),
        ("path: nowhere\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n", 1, "path", "is no folder"),
        (
            "train: images/train\nval: images/val\nnames: [cat, dog]\ndownload: |\n  print(1)\n",
            4,
            "download",
            "run code",
        ),
        ("train: images/train\nval: images/val\nnames: [cat, dog]\nkpt_shape: [17, 3]\n", 4, "kpt_shape", "keypoints"),
        ("train: images\nval: [\n", 3, "", "not YAML"),
        ("train: images/train\ntrain: images/val\n", 2, "train", "given twice"),
        ("just text\n", 1, "", "must map"),
    ],
)
def test_a_wrong_key_is_named_with_its_line(dataset_with: Make, yaml: str, line: int, path: str, message: str) -> None:
    file, found_line, found_path, found_message = only_problem(dataset_with(yaml))
    assert (file, found_line, found_path) == ("data.yaml", line, path)
    assert message in found_message


def test_all_problems_of_the_file_come_in_one_report(dataset_with: Make) -> None:
    found = problems(dataset_with("train: nowhere\nnc: 1\nnames: [cat, dog]\ndownload: https://example.org/x.zip\n"))
    assert [path for _, _, path, _ in found] == ["val", "train", "nc", "download"]


@pytest.mark.parametrize("channels", ["three", "0.5", "-1", "[3]"])
def test_channels_that_no_image_has_are_a_problem(dataset_with: Make, channels: str) -> None:
    yaml = f"train: images/train\nval: images/val\nnames: [cat, dog]\nchannels: {channels}\n"
    _, _, path, message = only_problem(dataset_with(yaml))
    assert (path, "is a whole number from 1" in message) == ("channels", True)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in only_problem(tmp_path / "data.yaml")[3]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 0.5 0.5 0.2", "4 columns"),
        ("0 0.5 0.5 0.2 0.2 0.9", "6 columns"),
        ("0 0.5 0.5 0.2 1.2", "leaves [0, 1]"),
        ("0 -0.5 0.5 0.2 0.2", "leaves [0, 1]"),
        ("0 nan 0.5 0.2 0.2", "leaves [0, 1]"),
        ("0 0.5 0.5 -0.005 0.2", "leaves [0, 1]"),
        ("0 0.5 0.5 0.2 wide", "is not all numbers"),
        ("2 0.5 0.5 0.2 0.2", "names 2 (0 to 1)"),
        ("0.5 0.5 0.5 0.2 0.2", "whole numbers"),
        ("-1 0.5 0.5 0.2 0.2", "whole numbers"),
    ],
)
def test_a_wrong_label_row_is_named_with_its_line(dataset: Path, row: str, message: str) -> None:
    (dataset.parent / "labels/train/a.txt").write_text(f"0 0.5 0.5 0.2 0.2\n\n{row}\n")
    file, line, _, found = only_problem(dataset)
    assert (file, line) == ("a.txt", 3)
    assert message in found


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 0.5 0.5 0.2 0.2", "a box in a file of polygons"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "8 columns"),
        ("0 0.1 0.1 0.2 0.2 0.3 2.0", "leaves [0, 1]"),
    ],
)
def test_a_wrong_polygon_is_named_with_its_line(dataset: Path, row: str, message: str) -> None:
    (dataset.parent / "labels/train/a.txt").write_text(f"0 0.1 0.1 0.9 0.1 0.5 0.9\n{row}\n")
    file, line, _, found = only_problem(dataset)
    assert (file, line) == ("a.txt", 2)
    assert message in found


def test_a_coordinate_may_leave_the_picture_by_rounding(dataset: Path) -> None:
    (dataset.parent / "labels/val/c.txt").write_text("0 1.005 0.5 0.2 0.2\n0 -0.005 0.5 0.2 0.2\n")
    assert describe(dataset).splits["val"].boxes == 2


def test_a_split_without_images_is_a_problem(dataset: Path) -> None:
    (dataset.parent / "images/val/c.jpg").unlink()
    _, line, path, message = only_problem(dataset)
    assert (line, path) == (2, "val")
    assert "holds no image" in message


def test_a_split_in_which_no_image_has_labels_says_where_they_are_looked_for(dataset: Path) -> None:
    (dataset.parent / "labels/val/c.txt").unlink()
    _, line, path, message = only_problem(dataset)
    assert (line, path) == (2, "val")
    assert str(dataset.parent / "labels/val/c.txt") in message


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("images/train/a.jpg", "begin it with ./"),
        ("./a.gif", "not end like an image"),
        ("./no.jpg", "there is no file"),
    ],
)
def test_a_wrong_line_of_a_list_is_named(dataset_with: Make, entry: str, message: str) -> None:
    yaml = dataset_with("train: train.txt\nval: images/val\nnames: [cat, dog]\n")
    (yaml.parent / "train.txt").write_text(f"./images/train/a.jpg\n{entry}\n")
    file, line, _, found = only_problem(yaml)
    assert (file, line) == ("train.txt", 2)
    assert message in found


def test_a_flood_of_problems_is_cut_and_counted(dataset: Path) -> None:
    (dataset.parent / "labels/train/a.txt").write_text("9 0 0 0 0\n" * 250)
    found = problems(dataset)
    assert len(found) == 101
    assert any(file == "data.yaml" and "250 problems" in message for file, _, _, message in found)


def test_an_unreadable_image_is_named(dataset: Path) -> None:
    (dataset.parent / "images/train/b.jpg").unlink()
    (dataset.parent / "images/train/b.jpg").symlink_to("nowhere.jpg")
    assert only_problem(dataset)[0] == "b.jpg"


@pytest.mark.parametrize("name", ["images/train/b.jpg", "labels/train/a.txt"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "size"])
def test_what_has_no_end_is_no_file_of_a_dataset_and_nobody_waits_for_it(dataset: Path, name: str, kind: str) -> None:
    file = dataset.parent / name
    file.unlink()
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "device":
            file.symlink_to("/dev/zero")
        case "folder":
            file.mkdir()
        case _:
            with file.open("wb") as opened:
                opened.truncate(1 << 40)  # it takes no place on the disk
    where, _, _, message = only_problem(dataset)
    assert where == file.name
    assert ("bytes, and" if kind == "size" else "is no regular file") in message


def test_a_list_of_any_size_is_not_read(dataset_with: Make) -> None:
    yaml = dataset_with("train: train.txt\nval: images/val\nnames: [cat, dog]\n")
    with (yaml.parent / "train.txt").open("wb") as opened:
        opened.truncate(1 << 40)
    assert any("is no list of images: it is larger than" in message for _, _, _, message in problems(yaml))


def test_describing_needs_no_framework() -> None:
    code = (
        "import sys, hpo.dataset.description as d; print({'torch', 'ultralytics', 'numpy', 'cv2'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
