"""A stored study is compared with what its study file itself says; the rest was settled when it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import StudyConflict
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.studies import baselines, lifecycle
from hpo.studyfile import loader
from hpo.studyfile.planning.baseline import resolved, trial_0
from tests.study.support import FACTS, IDENTITY

FILE = """\
name: digits
data: data.yaml
model: yolov8n.yaml
train: {epochs: 10, nbs: 8}
space:
  - mine
  - box: [5, 10]
search: {seed: 7}
"""
PART = "lr0: {low: 1e-3, high: 1e-1, log: true}\nmosaic: [0, 1]\n"
DATA = {"nc": 4, "train_images": 180}

Join = Callable[..., StudyRow]


@pytest.fixture
def join(storage: Storage, tmp_path: Path) -> Join:
    """Return the joining of the study of a file, with a part beside it and further overrides."""
    (tmp_path / "data.yaml").write_text("path: .\ntrain: images\nval: images\nnames: [a]\n")

    def joined(*overrides: str, text: str = FILE, part: str = PART, said: bool = True, whole: bool = True) -> StudyRow:
        (tmp_path / "mine.yaml").write_text(part)
        (tmp_path / "study.yaml").write_text(text)
        loaded = loader.load(tmp_path / "study.yaml", overrides)
        dataset = {"names": list("abcd"), "splits": {"train": {"images": 180}, "val": {"images": 9}}}
        facts = replace(FACTS, dataset=dataset, baseline=trial_0(loaded.spec, **DATA), said=list(loaded.said))
        facts = facts if said else replace(facts, baseline=None, said=None)  # as an older version stored them
        spec = resolved(loaded.spec, **DATA) if whole else loaded.spec
        return lifecycle.create_or_join(storage, spec, IDENTITY, facts)

    return joined


def test_a_part_that_has_changed_since_changes_nothing(join: Join) -> None:
    made = join()
    assert join(part=PART.replace("1e-3", "1e-4") + "dfl: [1, 2]\n") == made
    assert join(part="mosaic: 0.5\n") == made


def test_a_block_that_is_left_out_changes_nothing(join: Join) -> None:
    made = join()
    assert join(text=FILE.partition("search:")[0]) == made


def test_an_optimizer_that_is_not_named_stays_what_it_was_resolved_to(join: Join) -> None:
    made = join()
    assert made.spec.train_args["optimizer"] == "AdamW"
    assert join().spec == made.spec
    with pytest.raises(StudyConflict, match=r"train\.optimizer: stored AdamW, asked SGD"):
        join("train.optimizer=SGD")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["train.epochs=11"], r"train\.epochs: stored 10, asked 11"),
        (["train={epochs: 10}"], r"train\.nbs: stored 8, asked nothing"),
        (["train.fliplr=0.0"], r"train\.fliplr: stored nothing, asked 0"),
        (["space=[mine, {box: [5, 11]}]"], r"space\.box"),
        (["space=[mine]"], r"space\.box"),
        (["space=[{box: [5, 10]}]"], r"space \(parts\): stored mine, asked none"),
        (["space=[mine, {box: [5, 10], mosaic: [0, 0.5]}]"], r"space\.mosaic"),
        (["search.seed=8"], r"search\.seed: stored 7, asked 8"),
        (["search.sampler=gp"], r"search\.sampler"),
        (["budget.trials=9"], r"budget\.trials: stored 50, asked 9"),
        (["baseline={train: {nbs: 8}}"], r"baseline\.train\.nbs"),
    ],
)
def test_what_the_file_says_and_has_changed_is_refused(join: Join, overrides: list[str], told: str) -> None:
    join()
    with pytest.raises(StudyConflict, match=told):
        join(*overrides)


def test_a_study_of_an_older_version_is_joined_though_its_parts_have_changed(join: Join) -> None:
    made = join(said=False, whole=False)
    assert "optimizer" not in made.spec.train_args
    assert join(part=PART.replace("1e-3", "1e-4"), whole=False) == made
    for overrides in (["train.epochs=11"], ["train={epochs: 10}"], ["space=[mine]"], ["space.dfl=[1, 2]"]):
        with pytest.raises(StudyConflict):
            join(*overrides, whole=False)


def test_a_study_keeps_the_baseline_that_it_was_made_with(join: Join) -> None:
    made = join()
    stored = replace(made, facts=replace(made.facts, baseline={**(made.facts.baseline or {}), "lr0": 0.5}))
    assert baselines.of(stored).train["lr0"] == 0.5
    assert baselines.of(made).train["nbs"] == 64
    old = replace(made, facts=replace(made.facts, baseline=None))
    assert baselines.of(old).train["nbs"] == 8  # an older version kept the whole block `train`
