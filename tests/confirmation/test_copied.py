"""The verdict with and without images that are copies of others: one evaluation, on fewer images."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from PIL import Image

from hpo.confirmation import copied
from hpo.confirmation.judging import Measurement, document, judge
from hpo.confirmation.words import lines, paragraph
from hpo.detection.predictions import Predictions
from hpo.evidence.document import VerdictDocument
from tests.confirmation.test_judging import capture, groups, stage
from tests.damaged import jpegs
from tests.detection.scenes import Scene, make, subset

COPIED = {"3.jpg", "7.jpg", "0.jpg"}
STAY = [1, 2, 4, 5, 6, 8, 9, 10, 11]


def told(known: set[str]) -> VerdictDocument:
    found = judge(stage(), groups(), "test", capture)
    plain = document(stage()[0], groups(), found, Measurement("test", look=1, within_noise=0))
    return replace(plain, without_copies=copied.without(stage(), groups(), "test", capture, known))


def test_images_are_left_out_with_their_candidates_and_labels() -> None:
    scene = make(Scene(images=12))
    kept, expected = scene.without(COPIED), subset(scene, STAY)
    for field in fields(Predictions):
        assert np.array_equal(getattr(kept, field.name), getattr(expected, field.name)), field.name
    assert len(scene.without(set())) == 12
    assert len(scene.without(set(scene.images)).scores) == 0


def test_the_verdict_without_copies_is_the_verdict_on_the_images_that_stay() -> None:
    def fewer(weights: Path, split: str) -> Predictions:
        return subset(capture(weights, split), STAY)

    found, expected = told(COPIED).without_copies, judge(stage(), groups(), "test", fewer).verdict
    assert found is not None
    assert (found.copies, found.images) == (3, 9)
    assert (found.claim, found.difference, found.low, found.high) == (
        expected.claim,
        expected.difference,
        expected.low,
        expected.high,
    )
    assert found.difference != told(set()).difference


def test_both_verdicts_stand_side_by_side() -> None:
    both, plain = told(COPIED), told(set())
    assert both.without_copies is not None
    said = both.without_copies.sentence
    for shown in (lines(both), paragraph(both)):
        (line,) = [each for each in shown if said in each]
        assert "3 images are copies" in line
    assert lines(both)[-1] == plain.sentence
    assert VerdictDocument.from_dict(json.loads(json.dumps(both.to_dict()))) == both
    assert "without_copies" not in plain.to_dict()
    assert len(lines(both)) == len(lines(plain)) + 1


def test_without_an_image_that_is_new_nothing_is_claimed() -> None:
    found = told({f"{index}.jpg" for index in range(12)}).without_copies
    assert found is not None
    assert (found.copies, found.images, found.claim, found.difference) == (12, 0, None, None)


def test_copies_are_leaks_and_repeats_of_the_split_exact_and_near_by_the_names_of_predictions(
    tiny: Path, tmp_path: Path
) -> None:
    data, root = jpegs(tiny, tmp_path / "set"), tmp_path / "set" / "images"
    (root / "val" / "more").mkdir()
    first, second, *_ = sorted((root / "train").iterdir())
    own = next(file for file in sorted((root / "val").iterdir()) if file.is_file())
    shutil.copy(first, root / "val" / "more" / "leaked.jpg")
    shutil.copy(own, root / "val" / "twice.jpg")
    with Image.open(second) as opened:
        opened.save(root / "val" / "near.jpg", quality=50)
    assert copied.names(data, "val", tmp_path / "cache") == {"more/leaked.jpg", "near.jpg", "twice.jpg"}
