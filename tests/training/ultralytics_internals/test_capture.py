"""The content of a capture, for unusual images, labels and detectors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.detection.apply import detections
from hpo.detection.predictions import MAX_CANDIDATES, Predictions
from hpo.detection.rating import measure
from hpo.errors import SpecError, UsageError
from hpo.settings import Settings, load_settings
from hpo.training.measuring.predictions import PredictionsRequest, captured
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, FLOOR
from hpo.trial.vocabulary import Metric
from tests.training.support import Subject, made_up, untrained

pytestmark = pytest.mark.usefixtures("ultralytics")
MODES = ("deploy", "val")
NAMES = ["a", "b", "c"]


def captures(weights: Path, data: Path, mode: str, **changes: Any) -> Predictions:
    from hpo.training.ultralytics_internals.capture import InferencePass, capture
    from hpo.training.ultralytics_internals.weights import load

    return capture(load(weights).model, mode, replace(InferencePass(data, "val", 96, "cpu"), **changes))


@pytest.fixture
def odd(tmp_path: Path) -> Subject:
    """Return a detector of random numbers, and noise images of several shapes, the third one without labels."""
    return Subject(untrained(tmp_path / "weights.pt", NAMES), made_up(tmp_path / "data", NAMES, [0, 2]), 96)


def test_both_modes_have_the_same_images_and_labels_in_the_order_of_names(odd: Subject) -> None:
    deploy, val = (captures(odd.weights, odd.data, mode) for mode in MODES)
    assert deploy.images == val.images == tuple(f"{number:02d}.png" for number in range(12))
    assert deploy.names == val.names == tuple(NAMES)
    assert (deploy.capture, val.capture) == MODES
    for name in ("truth_classes", "truth_offsets", "truth_areas"):
        assert np.array_equal(getattr(deploy, name), getattr(val, name)), name
    assert np.diff(deploy.truth_offsets).tolist() == [4, 4, 0, *[4] * 9]


def test_areas_are_those_of_the_labels_in_the_original_image(odd: Subject) -> None:
    predictions = captures(odd.weights, odd.data, "deploy")
    sizes = predictions.truth_boxes[:, 2:] - predictions.truth_boxes[:, :2]
    assert predictions.truth_areas == pytest.approx(sizes.prod(1), rel=1e-4)
    first = (odd.data.parent / "labels" / "val" / "00.txt").read_text().split()
    assert predictions.truth_areas[0] == pytest.approx(float(first[3]) * 96 * float(first[4]) * 96, rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_every_candidate_lies_above_the_floor_in_falling_order(odd: Subject, mode: str) -> None:
    predictions = captures(odd.weights, odd.data, mode)
    for first, last in zip(predictions.offsets, predictions.offsets[1:], strict=False):
        scores = predictions.scores[first:last]
        assert (scores > FLOOR).all()
        assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_a_detector_that_finds_nothing_is_measured(tmp_path: Path, odd: Subject, mode: str) -> None:
    blind = untrained(tmp_path / "blind.pt", NAMES, score=1e-30)
    predictions = captures(blind, odd.data, mode)
    assert len(predictions.scores) == 0
    assert predictions.offsets.tolist() == [0] * 13
    assert all(len(found.scores) == 0 for found in detections(predictions, DEFAULT))
    assert measure(predictions, DEFAULT, Objective(Metric.F1))[1] == 0


@pytest.mark.parametrize("mode", MODES)
def test_scores_that_are_no_numbers_name_their_image(tmp_path: Path, odd: Subject, mode: str) -> None:
    import torch

    kept = torch.load(odd.weights, weights_only=False)
    kept["model"].model[-1].cv3[0][-1].bias.data[1] = float("nan")
    torch.save(kept, tmp_path / "broken.pt")
    with pytest.raises(UsageError, match=r"00\.png: .* its weights are broken"):
        captures(tmp_path / "broken.pt", odd.data, mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_split_without_any_label_has_candidates_alone(odd: Subject, mode: str) -> None:
    shutil.rmtree(odd.data.parent / "labels" / "val")
    predictions = captures(odd.weights, odd.data, mode)
    assert len(predictions.truth_classes) == 0
    assert len(predictions.scores) > 0


@pytest.mark.parametrize("mode", MODES)
def test_labels_are_what_validation_makes_of_them(odd: Subject, mode: str) -> None:
    """A repeated row counts once; an image with a wrong label file is left out."""
    labels = odd.data.parent / "labels" / "val"
    twice = labels / "03.txt"
    twice.write_text(twice.read_text() * 2)
    (labels / "04.txt").write_text("0 0.5 0.5 7 7\n")
    predictions = captures(odd.weights, odd.data, mode)
    assert "04.png" not in predictions.images
    assert np.diff(predictions.truth_offsets)[3] == 4


def test_at_most_30000_candidates_an_image_the_best_scores(tmp_path: Path) -> None:
    names = [f"class{index}" for index in range(80)]
    weights = untrained(tmp_path / "weights.pt", names)
    data = made_up(tmp_path / "data", names, [5], images=1)
    predictions = captures(weights, data, "val", imgsz=192)
    assert len(predictions.scores) == MAX_CANDIDATES
    assert predictions.scores.min() > FLOOR


@pytest.mark.parametrize("mode", MODES)
def test_the_model_is_left_as_it_was(odd: Subject, mode: str) -> None:
    import torch

    from hpo.training.ultralytics_internals.capture import InferencePass, capture
    from hpo.training.ultralytics_internals.weights import load

    model = load(odd.weights).model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = capture(model, mode, InferencePass(odd.data, "val", 96, "cpu"))
    second = capture(model, mode, InferencePass(odd.data, "val", 96, "cpu"))
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert np.array_equal(first.scores, second.scores)
    assert np.array_equal(first.boxes, second.boxes)


@pytest.mark.parametrize("mode", MODES)
def test_progress_counts_to_the_end(odd: Subject, mode: str) -> None:
    told: list[tuple[int, int]] = []
    captures(odd.weights, odd.data, mode, progress=lambda done, images: told.append((done, images)))
    assert told[-1] == (12, 12)
    assert told == sorted(told)


def test_images_of_a_batch_are_predicted_as_if_alone(mixed_digits: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    from hpo.training.ultralytics_internals import capture

    together = captures(mixed_digits.weights, mixed_digits.data, "deploy")
    monkeypatch.setattr(capture, "CPU_BATCH_PIXELS", 1)
    alone = captures(mixed_digits.weights, mixed_digits.data, "deploy")
    assert np.array_equal(together.offsets, alone.offsets)
    assert np.abs(together.scores - alone.scores).max() < 1e-5
    assert np.abs(np.sort(together.boxes, 0) - np.sort(alone.boxes, 0)).max() < 1e-5 * 96


def test_a_validation_that_keeps_its_candidates_keeps_those_of_a_capture(digits: Subject, tmp_path: Path) -> None:
    from ultralytics import YOLO

    from hpo.training.ultralytics_internals.candidates import KeepsCandidates

    kept: list[Predictions] = []

    class Keeping(KeepsCandidates):
        def get_stats(self) -> dict[str, Any]:
            kept.append(self.candidates.predictions())
            stats: dict[str, Any] = super().get_stats()
            return stats

    options = {"data": str(digits.data), "imgsz": 96, "device": "cpu", "plots": False, "save_dir": str(tmp_path)}
    plain = YOLO(digits.weights).val(**options)
    keeping = YOLO(digits.weights).val(validator=Keeping, **options)
    assert keeping.box.map == plain.box.map
    capture = captures(digits.weights, digits.data, "val")
    for name in ("boxes", "scores", "classes", "offsets", "frames", "truth_boxes", "truth_classes", "truth_areas"):
        assert np.array_equal(getattr(kept[0], name), getattr(capture, name)), name
    assert kept[0].images == capture.images


@given(st.tuples(st.integers(10, 3000), st.integers(10, 3000)), st.sampled_from([(96, 96), (640, 480), (224, 192)]))
def test_boxes_go_to_the_image_as_ultralytics_scales_them(original: tuple[int, int], network: tuple[int, int]) -> None:
    import torch
    from ultralytics.utils.ops import scale_boxes

    from hpo.training.ultralytics_internals.capture import frame

    boxes = np.random.default_rng(0).uniform(-10, 700, (20, 4)).astype(np.float32)
    gain_x, gain_y, pad_x, pad_y, width, height = np.asarray(frame(network, original), np.float32)
    gains, pads = np.array([gain_x, gain_y] * 2), np.array([pad_x, pad_y] * 2)
    ours = np.clip((boxes - pads) / gains, 0, [width, height] * 2)
    theirs = scale_boxes(network, torch.from_numpy(boxes.copy()), original).numpy()
    assert ours == pytest.approx(theirs, abs=1e-2, rel=1e-6)


def test_a_split_that_is_not_there_and_a_gpu_that_is_not_there_are_named(odd: Subject) -> None:
    with pytest.raises(UsageError, match="there is no split 'test'; add the key"):
        captures(odd.weights, odd.data, "deploy", split="test")
    with pytest.raises(UsageError, match="device 99: this machine has"):
        captures(odd.weights, odd.data, "deploy", device="99")


def home(folder: Path) -> Settings:
    return load_settings({"HPO_HOME": str(folder / "home")})


def test_the_second_time_nothing_is_inferred(odd: Subject, tmp_path: Path) -> None:
    wanted = PredictionsRequest(odd.weights, odd.data.parent / "original.yaml", device="cpu")
    told: list[int] = []
    first, imgsz = captured(wanted, home(tmp_path), progress=lambda done, _images: told.append(done))
    assert imgsz == 96
    assert told[-1] == 12
    told.clear()
    for again in (wanted, replace(wanted, imgsz=96)):
        found, _ = captured(again, home(tmp_path), progress=lambda done, _images: told.append(done))
        assert not told
        assert np.array_equal(found.boxes, first.boxes)
        assert found.images == first.images
    for other in ({"imgsz": 64}, {"capture": "val"}, {"split": "train"}):
        captured(replace(wanted, **other), home(tmp_path), progress=lambda done, _images: told.append(done))
        assert told.pop() == 12
        told.clear()


def test_changed_labels_are_captured_anew(odd: Subject, tmp_path: Path) -> None:
    wanted = PredictionsRequest(odd.weights, odd.data, device="cpu")
    before, _ = captured(wanted, home(tmp_path))
    (odd.data.parent / "labels" / "val" / "00.txt").write_text("1 0.5 0.5 0.25 0.25\n")
    after, _ = captured(wanted, home(tmp_path))
    assert len(after.truth_classes) == len(before.truth_classes) - 3


_WITHOUT_TORCH = """
import sys
from pathlib import Path
from hpo.settings import load_settings
from hpo.training.measuring.predictions import PredictionsRequest, captured
from hpo.detection.sweep import sweep
from hpo.trial.objective import Objective
from hpo.trial.operating_point import SweepPlan
wanted = PredictionsRequest(Path(sys.argv[1]), Path(sys.argv[2]))
predictions, imgsz = captured(wanted, load_settings({"HPO_HOME": sys.argv[3]}))
sweep(predictions, SweepPlan(resamples=10), Objective())
print(imgsz, len(predictions), [name for name in ("torch", "ultralytics", "cv2") if name in sys.modules])
"""


def test_a_cached_sweep_needs_no_torch(odd: Subject, tmp_path: Path) -> None:
    captured(PredictionsRequest(odd.weights, odd.data, device="cpu"), home(tmp_path))
    arguments = [str(odd.weights), str(odd.data), str(tmp_path / "home")]
    answer = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, *arguments], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "96 12 []"


def test_what_does_not_fit_is_refused_before_anything_is_inferred(odd: Subject, tmp_path: Path) -> None:
    wanted = PredictionsRequest(odd.weights, odd.data, device="cpu")
    with pytest.raises(UsageError, match=r"nothing\.pt: no such file"):
        captured(replace(wanted, weights=tmp_path / "nothing.pt"), home(tmp_path))
    with pytest.raises(UsageError, match="has no split 'test'; it has train, val"):
        captured(replace(wanted, split="test"), home(tmp_path))
    with pytest.raises(SpecError, match="no such file"):
        captured(replace(wanted, data=tmp_path / "nothing.yaml"), home(tmp_path))
    other = tmp_path / "other.yaml"
    other.write_text(odd.data.read_text().replace('"c"', '"d"'))
    with pytest.raises(UsageError, match="2: 'd' in the data, 'c' in the weights"):
        captured(replace(wanted, data=other), home(tmp_path))
