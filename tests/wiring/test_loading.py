"""A study file whose files have moved: each is taken where it was found last."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.errors import SpecError
from hpo.settings import Settings
from hpo.study.studies import places
from hpo.studyfile.loader import Loaded
from hpo.wiring.loading import load

STUDY = """\
name: cells
data: gone/data.yaml
model: gone/n.yaml
train: {epochs: 3, optimizer: AdamW, pretrained: gone/start.pt}
space:
  lr0: {low: 1e-4, high: 3e-2, log: true}
"""


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Return the folder that the study's files have moved to."""
    folder = tmp_path / "b %41 ?#'"
    folder.mkdir()
    (folder / "data.yaml").write_text("path: .\ntrain: train\nval: val\nnames: [a]\n")
    (folder / "n.yaml").write_text("nc: 1\nbackbone: []\nhead: [[-1, 1, Detect, [nc]]]\n")
    (folder / "start.pt").touch()
    (tmp_path / "cells.yaml").write_text(STUDY)
    return folder


def remembered(moved: Path) -> Settings:
    settings = Settings(moved.parent / "runs", "", "", None)
    for kind, name in (("data", "data.yaml"), ("model", "n.yaml"), ("pretrained", "start.pt")):
        places.remember(settings.home, "cells", kind, moved / name)  # type: ignore[arg-type]
    return settings


def loaded(moved: Path, *overrides: str) -> Loaded:
    return load(moved.parent / "cells.yaml", overrides, remembered(moved))


def test_data_model_and_weights_are_taken_where_they_were_found_last(moved: Path) -> None:
    spec = loaded(moved).spec
    named = (spec.data, spec.model, dict(spec.train)["pretrained"])
    assert named == tuple(str(moved / name) for name in ("data.yaml", "n.yaml", "start.pt"))


@pytest.mark.parametrize("override", ["train.pretrained=other.pt", "train.lr0=high"])
def test_what_is_named_wrongly_now_is_a_problem(moved: Path, override: str) -> None:
    with pytest.raises(SpecError, match=override.partition("=")[0]):
        loaded(moved, override)
