"""Predictions on disk: a load returns everything that was saved, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.detection.predictions import ImagePredictions, Predictions, collect
from hpo.training import cache as predictions_cache
from hpo.training.cache import PredictionCache, key

ARRAYS = list(predictions_cache._layout())
WEIGHTS = "ab" * 32


def made(seed: int = 0, images: int = 3) -> Predictions:
    random = np.random.default_rng(seed)
    frame = (1.0, 1.0, 0.0, 0.0, float("inf"), float("inf"))

    def image(number: int) -> ImagePredictions:
        boxes, truth = random.uniform(0, 50, (5 * number, 4)), random.uniform(0, 50, (number, 4))
        scores, classes = random.uniform(0, 1, 5 * number), random.integers(0, 2, 5 * number)
        return ImagePredictions(
            f"sub/ä{number}.jpg", boxes, scores, classes, frame, truth, np.zeros(number), np.full(number, 9.5)
        )

    return collect([image(number) for number in range(images)], ["kätzchen", "dog"], "val", suppressed=bool(seed % 2))


def equal(one: Predictions, other: Predictions | None) -> bool:
    assert other is not None
    same = [np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS]
    kinds = [getattr(one, name).dtype == getattr(other, name).dtype for name in ARRAYS]
    words = [getattr(one, name) == getattr(other, name) for name in ("images", "names", "capture", "suppressed")]
    return all([*same, *kinds, *words])


def name(number: int = 0) -> str:
    return key(WEIGHTS, "data", "val", 32 * (number + 1), "deploy")


@pytest.mark.parametrize("predictions", [made(), made(seed=1, images=1), made(images=0)])
def test_what_was_saved_comes_back(tmp_path: Path, predictions: Predictions) -> None:
    cache = PredictionCache(tmp_path)
    cache.save(name(), predictions, 224)
    assert equal(predictions, cache.load(name()))
    assert cache.load(name(1)) is None
    assert cache.trained_imgsz(WEIGHTS) == 224
    assert cache.trained_imgsz("cd" * 32) is None


def test_the_key_changes_with_everything_that_predictions_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    base = ("w" * 64, "d" * 64, "val", 640, "deploy")
    others = [("x" * 64, *base[1:]), (base[0], "e" * 64, *base[2:]), (*base[:2], "test", 640, "deploy")]
    others += [(*base[:3], 320, "deploy"), (*base[:4], "val")]
    keys = {key(*base), *(key(*other) for other in others)}
    monkeypatch.setattr(predictions_cache, "FORMAT", 10**6)
    assert len(keys | {key(*base)}) == 7


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_a_torn_file_is_absent(tmp_path: Path, share: float) -> None:
    cache = PredictionCache(tmp_path)
    cache.save(name(), made(), 224)
    (file,) = tmp_path.glob("*.npz")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    assert cache.load(name()) is None
    cache.save(name(), made(), 224)
    assert equal(made(), cache.load(name()))


def test_every_flipped_byte_of_the_arrays_is_noticed_or_harmless(tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path)
    cache.save(name(), made(), 224)
    (file,) = tmp_path.glob("*.npz")
    whole = file.read_bytes()
    for position in range(0, len(whole), 97):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        found = cache.load(name())
        assert found is None or equal(made(), found)


def _foreign(folder: Path) -> dict[str, dict[str, Any]]:
    whole = dict(np.load(folder / f"{name()}.npz"))
    return {
        "another key": whole | {"facts": np.frombuffer(whole["facts"].tobytes().replace(b"-", b"_"), np.uint8)},
        "no facts": {label: array for label, array in whole.items() if label != "facts"},
        "facts of another kind": whole | {"facts": np.frombuffer(b"[1, 2]", np.uint8)},
        "an array missing": {label: array for label, array in whole.items() if label != "boxes"},
        "another type": whole | {"scores": whole["scores"].astype(np.float64)},
        "another length": whole | {"scores": whole["scores"][:-1]},
        "another length of boxes": whole | {"boxes": whole["boxes"][:-1]},
        "a pickle": whole | {"boxes": np.array([{}], object)},
    }


@pytest.mark.parametrize(
    "kind",
    [
        "another key",
        "no facts",
        "facts of another kind",
        "an array missing",
        "another type",
        "another length",
        "another length of boxes",
        "a pickle",
    ],
)
def test_a_foreign_file_is_absent(tmp_path: Path, kind: str) -> None:
    cache = PredictionCache(tmp_path)
    cache.save(name(), made(), 224)
    np.savez(tmp_path / f"{name()}.npz", **_foreign(tmp_path)[kind])
    assert cache.load(name()) is None


def test_those_used_last_stay(tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path, keep=3)
    for number in range(3):
        cache.save(name(number), made(), 224)
        os.utime(tmp_path / f"{name(number)}.npz", (1000 + number, 1000 + number))
    assert cache.load(name(0)) is not None  # this counts as a use
    cache.save(name(3), made(), 224)
    assert {file.stem for file in tmp_path.glob("*.npz")} == {name(0), name(2), name(3)}


def test_nothing_is_kept_where_none_is_asked_for(tmp_path: Path) -> None:
    PredictionCache(tmp_path / "new", keep=0).save(name(), made(), 224)
    assert not (tmp_path / "new").exists()


def test_what_dead_processes_left_half_written_goes(tmp_path: Path) -> None:
    old, new = tmp_path / ".x-1.tmp", tmp_path / ".x-2.tmp"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    PredictionCache(tmp_path).save(name(), made(), 224)
    assert not old.exists()
    assert new.exists()


def test_where_nothing_can_be_written_that_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = PredictionCache(tmp_path / "file")
    cache.save(name(), made(), 224)
    assert cache.load(name()) is None
    assert "predictions.cache_unusable" in caplog.messages


_BUSY = """
import sys
from pathlib import Path
from tests.training.test_cache import made, equal, name
from hpo.training.cache import PredictionCache
cache = PredictionCache(Path(sys.argv[1]))
for _ in range(60):
    cache.save(name(), made(), 224)
    assert equal(made(), cache.load(name()))
print("done")
"""


def test_processes_that_write_one_key_read_it_whole(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", _BUSY, str(tmp_path)]
    busy = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=120)[0].strip() for process in busy] == ["done"] * 3
    assert [file.name for file in tmp_path.iterdir()] == [f"{name()}.npz"]
