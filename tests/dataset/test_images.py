"""The images below a folder: those that Ultralytics' glob finds, and never a whole disk."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from hpo.dataset import images
from hpo.dataset.description import describe
from hpo.dataset.images import images_of
from hpo.errors import SpecError
from tests.dataset.conftest import DATA_YAML, write_dataset


def test_the_images_of_a_folder_are_those_that_glob_finds(tmp_path: Path) -> None:
    root, aside = tmp_path / "root", tmp_path / "aside"
    for place in (root / "a.jpg", root / "b" / "c.PNG", root / "b" / ".d.jpg", root / ".e" / "f.jpg", aside / "g.jpg"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    for name in ("h.txt", "jpg", "k.jpg.part", "l.tar.webp", "[m].bmp"):
        (root / "b" / name).touch()
    (root / "folder.jpg").mkdir()
    (root / "folder.jpg" / "n.jpg").touch()
    (root / "linked").symlink_to(aside)
    (root / "nowhere.jpg").symlink_to(tmp_path / "nothing")
    found = glob.glob(f"{root}/**/*.*", recursive=True)  # noqa: PTH207  (as Ultralytics does)
    expected = sorted(path for path in found if path.rpartition(".")[-1].lower() in images.IMAGE_SUFFIXES)
    assert images_of((root,)) == (expected, [])
    assert {Path(path).name for path in expected} == {
        *("a.jpg", "c.PNG", "g.jpg", "l.tar.webp", "[m].bmp", "folder.jpg", "n.jpg", "nowhere.jpg")
    }


def test_a_folder_that_is_a_whole_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a link leads back to a folder above itself, so that there is no end to its folders."""
    monkeypatch.setattr(images, "MOST_FOLDERS", 30)
    monkeypatch.setattr(images, "MOST_OTHERS", 40)
    data = write_dataset(tmp_path / "set", DATA_YAML.replace("images/train", "."))
    describe(data)
    for number in range(41):
        (tmp_path / "set" / f"{number}.py").touch()
    with pytest.raises(SpecError, match=r"set: holds over 40 files that are no images: name the folder of the images"):
        describe(data)
    for number in range(5):
        (tmp_path / "set" / f"{number}.jpg").touch()
    assert len(images_of((tmp_path / "set",))[0]) == 8  # 8 images go with 80 other files
    for name in ("one", "two"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "set")
    with pytest.raises(SpecError, match=r"set: holds over 30 folders: name the folder"):
        describe(data)


def test_the_root_of_all_files_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("path: /\ntrain: .\nval: .\nnames: [a]\n")
    with pytest.raises(SpecError, match="/: is the root of all files: name the folder"):
        describe(tmp_path / "data.yaml")


def test_a_pipe_that_is_called_an_image_is_not_read(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "set")
    os.mkfifo(tmp_path / "set" / "images" / "train" / "pipe.jpg")
    os.mkfifo(tmp_path / "set" / "labels" / "train" / "b.txt")
    with pytest.raises(SpecError) as caught:
        describe(data)
    assert [Path(each.file).name for each in caught.value.problems] == ["pipe.jpg", "b.txt"]
    assert all("is no regular file" in each.message for each in caught.value.problems)
