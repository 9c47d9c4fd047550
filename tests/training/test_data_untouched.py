"""A training leaves the data's folders as they are, and trains on what Ultralytics would have made of them."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hpo.dataset.decoding import decode
from hpo.dataset.description import write_resolved
from hpo.dataset.repair import repaired
from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training.data_cache import KeptFolders, LabelCache
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason
from tests import odd_images
from tests.conftest import Talk
from tests.damaged import damage, jpegs


def test_a_trial_on_damaged_data_is_a_plain_training_on_a_repaired_copy_and_changes_nothing(
    launcher: ForkserverLauncher, tiny: Path, tmp_path: Path, request_for: Any
) -> None:
    """Losses and metrics are equal to the last digit, with decoded images on disk, too."""
    jpegs(tiny, tmp_path / "own")
    jpegs(tiny, tmp_path / "copy")
    own, copy = damage(tmp_path / "own"), damage(tmp_path / "copy", traps=False)
    for each in (own, copy):
        write_resolved(each.data, tmp_path / f"{each.root.name}.yaml")
    train = {"epochs": 1, "close_mosaic": 0, "cache": "disk"}
    request = request_for(train, data=str(tmp_path / "own.yaml"), cache=str(tmp_path / "cache"))
    before = own.digest()
    ended = Talk(launcher.start(request)).ended
    assert ended.reason is Reason.COMPLETE, ended
    assert own.digest() == before
    assert not own.canary.exists()
    plain = [request.model, str(tmp_path / "copy.yaml"), request.train, str(tmp_path / "plain")]
    launcher.call(_plain_training, json.dumps(plain), 120)
    assert _losses(tmp_path / "plain" / "results.csv") == _losses(AttemptPaths(Path(request.folder)).results)
    kept = [path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert sorted(set(kept)) == [".jpg", ".npy", ".npz"]


def _losses(results: Path) -> list[dict[str, str]]:
    with results.open() as opened:
        return [{**row, "time": ""} for row in csv.DictReader(opened)]


def _plain_training(text: str, pipe: Any, _lifeline: Any) -> None:
    from ultralytics import YOLO
    from ultralytics.utils import SETTINGS

    dict.__setitem__(SETTINGS, "mlflow", False)
    model, data, train, folder = json.loads(text)
    YOLO(model).train(data=data, save_dir=folder, device="cpu", plots=False, patience=0, **train)
    pipe.send_bytes(b"done")


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_repaired_image_is_the_one_that_ultralytics_would_save(orientation: int, tmp_path: Path) -> None:
    image = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(image, quality=90, exif=exif)
    image.write_bytes(image.read_bytes() + b"\0")
    from ultralytics.data.utils import _exif_jpeg

    _exif_jpeg(str(image)).save(tmp_path / "theirs.jpg", "JPEG", subsampling=0, quality=100)
    assert repaired(image.read_bytes()) == (tmp_path / "theirs.jpg").read_bytes()


def test_a_sound_image_and_a_file_of_several_pictures_are_left_as_they_are(tmp_path: Path) -> None:
    picture = Image.new("RGB", (32, 32))
    picture.save(tmp_path / "sound.jpg")
    picture.save(tmp_path / "several.mpo", save_all=True, append_images=[picture])
    assert repaired((tmp_path / "sound.jpg").read_bytes()) is None
    assert repaired((tmp_path / "several.mpo").read_bytes() + b"\0") is None
    assert repaired(b"GIF89a") is None


def test_a_prediction_reads_what_a_training_reads(ultralytics: None, tmp_path: Path) -> None:
    """Also with no folder to keep anything in, and of a truncated file what there is."""
    from hpo.training.ultralytics_internals.reading import ImageReader

    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for name in ("endless", "short"):
        Image.fromarray(pixels).save(tmp_path / f"{name}.jpg", quality=60)
    endless, short = tmp_path / "endless.jpg", tmp_path / "short.jpg"
    endless.write_bytes(endless.read_bytes() + b"\0")
    short.write_bytes(short.read_bytes()[:-400])
    (tmp_path / "repaired.jpg").write_bytes(repaired(endless.read_bytes()) or b"")
    plain: Any = ImageReader._plain
    expected = plain(tmp_path / "repaired.jpg", 1)
    assert expected is not None
    assert not np.array_equal(expected, plain(endless, 1))
    for reader in (ImageReader(), ImageReader(KeptFolders(tmp_path / "kept"))):
        read: Any = reader.read
        assert np.array_equal(read(endless), expected)
        assert np.array_equal(read(endless), expected)
        assert np.array_equal(read(short), plain(short, 1))
        assert reader.read(tmp_path / "none.jpg") is None
        with pytest.raises(OSError, match="truncated"):
            reader.check(short, lambda _: None)


def test_exactly_the_images_that_ultralytics_leaves_out_are_left_out(ultralytics: None, tmp_path: Path) -> None:
    from ultralytics.data.utils import check_image

    def used(file: str) -> bool:
        try:
            check_image(file)
        except Exception:  # noqa: BLE001  (whatever it raises, Ultralytics leaves the image out)
            return False
        return True

    images = odd_images.make(tmp_path)
    assert {file: not decode(file).left_out for file in images} == {file: used(file) for file in images}


FOUND: dict[str, Any] = {
    "labels": [
        {
            "im_file": f"/data/images/{number}\udce9.jpg",
            "shape": (40, 60 + number),
            "cls": np.arange(number, dtype=np.float32).reshape(-1, 1),
            "bboxes": np.arange(4 * number, dtype=np.float32).reshape(-1, 4) / 100,
            "segments": [np.arange(2 * number + 6, dtype=np.float32).reshape(-1, 2)] * number,
            "keypoints": None,
            "normalized": True,
            "bbox_format": "xywh",
        }
        for number in (0, 2, 1)
    ],
    "results": (2, 1, 0, 0, 3),
    "msgs": ["something"],
    "hash": "abc",
    "version": "1",
}


def test_labels_come_back_as_they_were_scanned(tmp_path: Path) -> None:
    cache = LabelCache(tmp_path, "1")
    assert cache.load("abc") is None
    cache.save(FOUND)
    loaded = cache.load("abc")
    assert loaded is not None
    np.testing.assert_equal(loaded, FOUND)
    assert {array.dtype for label in loaded["labels"] for array in (label["cls"], label["bboxes"])} == {np.dtype("f4")}
    assert LabelCache(tmp_path, "2").load("abc") is None


def test_a_torn_cache_of_labels_counts_as_missing(tmp_path: Path) -> None:
    cache = LabelCache(tmp_path, "1")
    cache.save(FOUND)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:-100])
    assert cache.load("abc") is None


def test_only_what_was_used_last_stays(tmp_path: Path) -> None:
    cache = LabelCache(tmp_path / "labels", "1", most=2)
    folders = KeptFolders(tmp_path / "images", most=2)
    for number in range(4):
        cache.save({**FOUND, "hash": str(number)})
        folders.file(str(number), "abc").touch()
        for place in (*(tmp_path / "labels").iterdir(), *(tmp_path / "images").iterdir()):
            os.utime(place, ns=(place.stat().st_atime_ns, place.stat().st_mtime_ns - 10**9))
    assert [cache.load(str(number)) is not None for number in range(4)] == [False, False, True, True]
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = LabelCache(tmp_path / "file" / "labels", "1")
    cache.save(FOUND)
    assert cache.load("abc") is None


def test_a_label_cache_is_whole_at_any_moment(launcher: ForkserverLauncher, tmp_path: Path) -> None:
    """Four processes write one cache file again and again while each reads it: no torn file, none missing."""
    answers = [launcher.call(_write_and_read, str(tmp_path), 120)]
    context = multiprocessing.get_context("forkserver")
    pipes = [context.Pipe() for _ in range(3)]
    children = [context.Process(target=_write_and_read, args=(str(tmp_path), theirs, None)) for _, theirs in pipes]
    for child in children:
        child.start()
    answers += [ours.recv_bytes().decode() for ours, _ in pipes]
    for child in children:
        child.join()
    assert [json.loads(answer) for answer in answers] == [{"reads": 100}] * 4


def _write_and_read(path: str, pipe: Any, _lifeline: Any) -> None:
    cache, reads = LabelCache(Path(path), "1"), 0
    for _ in range(100):
        cache.save(FOUND)
        loaded = cache.load("abc")
        reads += loaded is not None and len(loaded["labels"]) == 3
    pipe.send_bytes(json.dumps({"reads": reads}).encode())
