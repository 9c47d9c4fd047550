"""Ultralytics' own reader is the reference for ours: same suffixes, label paths, and accepted or refused rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from PIL import Image

from hpo.dataset.images import IMAGE_SUFFIXES, label_of
from hpo.dataset.labels import LabelFacts, parse

_TEXTS = [
    "",
    "\n\n",
    "0 0.5 0.5 0.2 0.2",
    "0 0.5 0.5 0.2 0.2\n0 .5 .5 .2 .2\n1 0 0 1 1\n",
    "1.0 0.5 0.5 0.2 0.2",
    "2 0.5 0.5 0.2 0.2",
    "-1 0.5 0.5 0.2 0.2",
    "0.5 0.5 0.5 0.2 0.2",
    "0 1.009 0.5 0.2 0.2",
    "0 1.02 0.5 0.2 0.2",
    "0 -0.009 0.5 0.2 0.2",
    "0 -0.02 0.5 0.2 0.2",
    "0 0.5 0.5 -0.005 0.2",
    "0 0.5 0.5 0.2",
    "0 0.5 0.5 0.2 0.2 0.9",
    "0 0.5 0.5 0.2 0.2\n1 0.5 0.5",
    "0 nan 0.5 0.2 0.2",
    "0 a b c d",
    "0 0.1 0.1 0.9 0.1 0.5 0.9",
    "0 0.1 0.1 0.9 0.1 0.5 0.9\n0 0.5 0.5 0.2 0.2",
    "0 0.1 0.1 0.9 0.1 0.5 0.9\n1 0.1 0.1 0.9 0.1 0.5 0.9 0.3",
    "0 0.1 0.1 1.1 0.1 0.5 0.9",
    "0 0.1 0.1 0.9 0.1 0.5 1.9",
]
_IMAGES = ["/x/images/a.jpg", "/x/images/y/images/b.c.png", "/x/a.jpg", "/images/train/a.jpg", "/x/my-images/a.jpg"]
_PROBE = """
import json, sys
from ultralytics.data.utils import IMG_FORMATS, img2label_paths, verify_image_label
asked = json.load(sys.stdin)
verified = [verify_image_label((asked["picture"], label, "", False, 2, 0, 0, False)) for label in asked["labels"]]
answer = {
    "suffixes": sorted(IMG_FORMATS),
    "labels": img2label_paths(asked["images"]),
    "boxes": [None if found[0] is None else len(found[1]) for found in verified],
}
print("\\n" + json.dumps(answer))
"""


@pytest.fixture(scope="module")
def ultralytics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return Ultralytics' answers, computed once in a separate process."""
    folder = tmp_path_factory.mktemp("parity")
    Image.new("RGB", (32, 32)).save(folder / "picture.png")
    labels = [folder / f"{index}.txt" for index in range(len(_TEXTS))]
    for label, text in zip(labels, _TEXTS, strict=True):
        label.write_text(text)
    asked = {"picture": str(folder / "picture.png"), "labels": [str(label) for label in labels], "images": _IMAGES}
    env = {**os.environ, "YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
    answer = subprocess.run(
        [sys.executable, "-c", _PROBE],
        input=json.dumps(asked),
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    parsed: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return parsed


def test_image_suffixes_are_those_of_ultralytics(ultralytics: dict[str, Any]) -> None:
    assert sorted(IMAGE_SUFFIXES) == ultralytics["suffixes"]


def test_labels_are_looked_for_where_ultralytics_does(ultralytics: dict[str, Any]) -> None:
    assert [label_of(image) for image in _IMAGES] == ultralytics["labels"]


def test_a_label_file_is_right_where_ultralytics_takes_it(ultralytics: dict[str, Any]) -> None:
    facts = [parse(text, nc=2) for text in _TEXTS]
    boxes = [found.boxes if isinstance(found, LabelFacts) else None for found in facts]
    assert dict(zip(_TEXTS, boxes, strict=True)) == dict(zip(_TEXTS, ultralytics["boxes"], strict=True))
