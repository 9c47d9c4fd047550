"""A drafted study file loads, for every choice and every name of the data."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.studyfile.drafting import Draft, DraftFacts, fitting_imgsz, name_of, study_text
from hpo.studyfile.loader import load_file

PRINTABLE = st.text(st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters="\u2028\u2029\ufeff"))

FOLDERS = PRINTABLE.map(lambda text: text.replace("/", "-")[:40]).filter(
    lambda text: text.strip(". ") and text[0] != "~"
)


@settings(max_examples=60, deadline=None)
@given(
    epochs=st.integers(1, 400),
    trials=st.none() | st.integers(1, 10_000),
    names=st.lists(PRINTABLE, min_size=1, max_size=12),
    folder=FOLDERS,
    side=st.integers(1, 10_000),
)
def test_every_draft_loads(epochs: int, trials: int | None, names: list[str], folder: str, side: int) -> None:
    facts = DraftFacts({"train": 3, "val": 2}, {"train": 4, "val": 5}, tuple(names), side, 0.1)
    hours = 1.5 if trials is None else None
    with tempfile.TemporaryDirectory() as where:
        file, data = Path(where) / "study.yaml", Path(where) / folder / "data.yaml"
        data.parent.mkdir()
        data.touch()
        draft = Draft(name_of(folder), f"{folder}/data.yaml", "yolov8n.yaml", trials, hours, epochs)
        file.write_text(study_text(draft, facts, "study.yaml"), encoding="utf-8")
        spec = load_file(file)
    assert spec.data == str(data.resolve())
    assert (spec.budget.hours, spec.epochs) == (hours, epochs)


@pytest.mark.parametrize(("side", "imgsz"), [(20, 32), (96, 96), (97, 128), (640, 640), (4000, 640)])
def test_the_image_size_holds_the_images_up_to_640(side: int, imgsz: int) -> None:
    assert fitting_imgsz(side) == imgsz


@pytest.mark.parametrize(("folder", "name"), [("My Cells (v2)", "my-cells-v2"), ("___", "study"), ("a" * 80, "a" * 63)])
def test_a_folder_s_name_becomes_a_study_s(folder: str, name: str) -> None:
    assert name_of(folder) == name
