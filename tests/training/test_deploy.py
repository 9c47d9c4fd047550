"""``hpo.deploy`` gives the measured detections: those of Ultralytics, or of ``hpo.detection``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typing_extensions import override

from hpo import deploy
from hpo.detection.apply import detections
from hpo.detection.sweep import sweep
from hpo.errors import UsageError
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, OperatingPoint, SweepPlan, SweepResult
from hpo.trial.vocabulary import Metric
from tests.support import example
from tests.training.parity import captured, images_of, predicted, same
from tests.training.support import Subject, untrained

pytestmark = pytest.mark.usefixtures("ultralytics")
NAMES = ["a", "b", "c"]

PLAIN = [
    DEFAULT,
    OperatingPoint(0.4, 0.1, 5),
    *(OperatingPoint(0.3, 0.05, 300, kind) for kind in SUPPRESSING if kind.is_plain),
]
FURTHER = [
    *(example(kind) for kind in SUPPRESSING if not kind.is_plain),
    OperatingPoint(0.6, 0.05, per_class_conf=(0.05, 0.3, 0.2, 0.9)),
    OperatingPoint(0.6, 0.05, kind=Kind.DIOU, per_class_conf=(0.2, 0.05, 0.1, 0.4)),
]


def found(results: list[Any]) -> dict[str, Any]:
    return {Path(result.path).name: result.boxes.data.numpy() for result in results}


def label(point: OperatingPoint) -> str:
    return f"{point.kind.value}-{point.conf:g}" + ("-by-class" if point.per_class_conf else "")


@pytest.mark.parametrize("point", PLAIN, ids=label)
def test_what_ultralytics_can_do_is_what_it_does(mixed_digits: Subject, point: OperatingPoint) -> None:
    detector = deploy.load(mixed_digits.weights, point, device="cpu")
    ours, theirs = found(detector.predict(str(images_of(mixed_digits)))), predicted(mixed_digits, point)
    assert ours.keys() == theirs.keys()
    assert sum(map(len, theirs.values())) > 20
    for image, rows in theirs.items():
        assert np.array_equal(ours[image], rows), image


@pytest.mark.parametrize("point", FURTHER, ids=label)
def test_what_it_can_not_do_is_what_was_measured(mixed_digits: Subject, point: OperatingPoint) -> None:
    results = deploy.load(mixed_digits.weights, point, device="cpu").predict(str(images_of(mixed_digits)))
    ours, measured = found(results), captured(mixed_digits, "deploy")
    assert set(ours) == set(measured.images)
    pairs = list(zip(measured.images, detections(measured, point), strict=True))
    assert sum(len(expected.scores) for _, expected in pairs) > 20
    differ = [image for image, expected in pairs if not same(expected, ours[image])]
    assert len(differ) <= 1, differ  # a score or an overlap on a threshold


def test_classes_drop_the_others_before_they_suppress(mixed_digits: Subject) -> None:
    point = replace(FURTHER[0], iou=0.3)
    results = deploy.load(mixed_digits.weights, point, device="cpu").predict(
        str(images_of(mixed_digits)), classes=[0, 2]
    )
    kept = np.concatenate(list(found(results).values()))
    assert set(kept[:, 5]) == {0, 2}
    agnostic = OperatingPoint(0.3, 0.05, 300, Kind.AGNOSTIC)
    plain = deploy.load(mixed_digits.weights, agnostic, device="cpu")
    ours = found(plain.predict(str(images_of(mixed_digits)), classes=[0, 2]))
    for image, rows in predicted(mixed_digits, agnostic, classes=[0, 2]).items():
        assert np.array_equal(ours[image], rows)


@pytest.mark.parametrize("point", [PLAIN[1], example(Kind.SOFT), FURTHER[-2]], ids=label)
def test_sources_of_every_kind_give_the_same(digits: Subject, point: OperatingPoint) -> None:
    import torch
    from ultralytics.utils.patches import imread

    files = sorted(images_of(digits).iterdir())[:6]
    detector = deploy.load(digits.weights, point, device="cpu")
    one_by_one = [detector.predict(file)[0].boxes.data.numpy() for file in files]
    arrays = [imread(str(file)) for file in files]
    together = detector.predict(arrays, batch=6)
    pixels = torch.from_numpy(np.stack([array[..., ::-1] for array in arrays]).copy()).permute(0, 3, 1, 2) / 255
    for results in (together, detector.predict(pixels), detector.predict(files)):
        assert [len(result.boxes) for result in results] == [len(rows) for rows in one_by_one]
        for result, rows in zip(results, one_by_one, strict=True):
            assert result.boxes.data.numpy() == pytest.approx(rows, abs=1e-3)
            assert result.names == {0: "zero", 1: "one", 2: "four", 3: "seven"}


def test_a_result_is_drawn_and_saved_as_ultralytics_does(digits: Subject, tmp_path: Path) -> None:
    detector = deploy.load(digits.weights, FURTHER[1], device="cpu")
    image = min(images_of(digits).iterdir())
    detector.predict(image, save=True, save_txt=True, project=str(tmp_path), name="drawn")
    assert (tmp_path / "drawn" / f"{image.stem}.jpg").is_file() or (tmp_path / "drawn" / image.name).is_file()
    assert (tmp_path / "drawn" / "labels").is_dir()


@pytest.mark.parametrize("argument", ["conf", "iou", "max_det", "agnostic_nms", "device", "nms", "embed", "stream"])
def test_what_the_settings_decide_is_no_argument(digits: Subject, argument: str) -> None:
    detector = deploy.load(digits.weights, DEFAULT, device="cpu")
    with pytest.raises(TypeError, match=f"does not take {argument}"):
        detector.predict("x.png", **{argument: 0.5})


@pytest.fixture(scope="session")
def swept(digits: Subject) -> SweepResult:
    plan = SweepPlan(kinds=(Kind.HARD, Kind.SOFT), resamples=100, per_class=True)
    return sweep(captured(digits, "deploy"), plan, Objective(Metric.F1))


def test_the_settings_of_a_sweep_are_read(digits: Subject, swept: SweepResult, tmp_path: Path) -> None:
    file = tmp_path / "operating_point.json"
    file.write_text(json.dumps({**swept.to_dict(), "imgsz": 64}))
    expected = {"recommended": swept.recommended_point, "best": swept.best.point, "default": swept.default.point}
    for choice, point in expected.items():
        detector = deploy.load(digits.weights, file, point=choice, device="cpu")  # type: ignore[arg-type]
        assert detector.point == point
    assert deploy.load(str(digits.weights), str(file), device="cpu").point == swept.recommended_point
    at_64 = deploy.load(digits.weights, file, point="best", device="cpu").predict(images_of(digits))
    theirs = deploy.load(digits.weights, swept.best.point, device="cpu").predict(images_of(digits), imgsz=64)
    for one, other in zip(at_64, theirs, strict=True):
        assert np.array_equal(one.boxes.data, other.boxes.data)


def test_settings_that_can_not_be_read_are_named(digits: Subject, swept: SweepResult, tmp_path: Path) -> None:
    file = tmp_path / "operating_point.json"
    with pytest.raises(UsageError, match=r"operating_point\.json: no such file; make it with: hpo sweep"):
        deploy.load(digits.weights, file)
    without_best = {name: value for name, value in swept.to_dict().items() if name != "best"}
    for text in ("", "[]", '"x"', "{}", json.dumps(without_best), json.dumps(swept.to_dict() | {"best": 3})):
        file.write_text(text)
        with pytest.raises(UsageError, match=r"operating_point\.json: is no operating_point\.json of hpo promote"):
            deploy.load(digits.weights, file)
    with pytest.raises(UsageError, match="must be recommended, best or default"):
        deploy.load(digits.weights, file, point="worst")  # type: ignore[arg-type]


def test_settings_of_another_detector_are_refused(digits: Subject) -> None:
    with pytest.raises(UsageError, match="knows 4 classes, and the settings have confidences for 2"):
        deploy.load(digits.weights, replace(DEFAULT, per_class_conf=(0.1, 0.2)))
    with pytest.raises(UsageError, match="needs suppression, and the settings have none"):
        deploy.load(digits.weights, OperatingPoint(None, 0.3, kind=Kind.NONE))


def test_weights_that_would_run_code_are_refused_here_too(tmp_path: Path) -> None:
    import torch

    class Canary:
        @override
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch '{tmp_path / 'seen'}'",)

    torch.save({"model": Canary()}, tmp_path / "weights.pt")
    with pytest.raises(UsageError, match="could run code"):
        deploy.load(tmp_path / "weights.pt", DEFAULT)
    assert not (tmp_path / "seen").exists()


def test_scores_that_are_no_numbers_name_their_image(digits: Subject, tmp_path: Path) -> None:
    import torch

    kept = torch.load(untrained(tmp_path / "weights.pt", NAMES), weights_only=False)
    kept["model"].model[-1].cv3[0][-1].bias.data[1] = float("nan")
    torch.save(kept, tmp_path / "broken.pt")
    image = min(images_of(digits).iterdir())
    detector = deploy.load(tmp_path / "broken.pt", FURTHER[0], device="cpu")
    with pytest.raises(UsageError, match=f"{image.name}: .* its weights are broken"):
        detector.predict(image)


def test_importing_it_imports_no_torch() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", "import sys, hpo.deploy; print('torch' in sys.modules, 'numba' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "False False"
