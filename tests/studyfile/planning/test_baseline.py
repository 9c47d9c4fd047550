"""Trial 0 is what plain ``yolo train`` gives, and a study without an optimizer has that of trial 0."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.studyfile import serialize
from hpo.studyfile.arguments import arguments
from hpo.studyfile.planning import baseline, plan
from hpo.studyfile.space import FloatRange
from tests.studyfile.conftest import Studio

HEAD = "name: demo\ndata: data.yaml\nmodel: yolov8n.yaml\n"
CORE = HEAD + "train: {epochs: 12, batch: 8, nbs: 8}\nspace: yolov8-core\n"
BIG = {"nc": 80, "train_images": 200_000}
SMALL = {"nc": 3, "train_images": 205}


def test_the_baseline_keeps_what_defines_the_task_or_the_machine_and_drops_the_rest(studio: Studio) -> None:
    kept = "epochs: 12, imgsz: 96, batch: 8, seed: 7, classes: [0], freeze: 2, amp: false, workers: 1, cache: ram"
    own = (
        "nbs: 8, optimizer: SGD, lr0: 0.02, momentum: 0.9, warmup_epochs: 1, close_mosaic: 2, fliplr: 0.0, mosaic: 0.5"
    )
    spec = studio.load(text=HEAD + f"train: {{{kept}, {own}}}\nspace: {{box: [5, 10]}}\n")
    train = baseline.trial_0(spec, **SMALL)
    taken = baseline.taken(spec)
    assert {name: train[name] for name in taken.kept} == {name: spec.train_args[name] for name in taken.kept}
    assert set(taken.kept) == {"epochs", "imgsz", "batch", "seed", "classes", "freeze", "amp", "workers", "cache"}
    assert set(taken.dropped) == {
        *("nbs", "optimizer", "lr0", "momentum", "warmup_epochs", "close_mosaic", "fliplr", "mosaic")
    }
    usual = {**arguments.defaults(), "optimizer": "AdamW", "lr0": 0.001429, "momentum": 0.9, "warmup_bias_lr": 0.0}
    assert {name: value for name, value in train.items() if name not in taken.kept and value != usual[name]} == {}


def test_what_the_space_fixes_of_the_task_is_kept_too(studio: Studio) -> None:
    spec = studio.load(text=HEAD + "space: {mosaic: [0, 1], imgsz: 320, cos_lr: true}\n")
    train = baseline.trial_0(spec, **SMALL)
    assert train["imgsz"] == 320
    assert "cos_lr" not in train


def test_a_recipe_adds_to_the_baseline_and_is_named_yours(studio: Studio) -> None:
    plain = studio.load(text=CORE)
    spec = studio.load("baseline={train: {nbs: 8, optimizer: SGD, lr0: 0.02}}", text=CORE)
    added = {"nbs": 8, "optimizer": "SGD", "lr0": 0.02}
    without = {"momentum", "warmup_bias_lr"}  # auto's
    expected = {name: value for name, value in baseline.trial_0(plain, **SMALL).items() if name not in without}
    assert baseline.trial_0(spec, **SMALL) == {**expected, **added}
    assert (plain.baseline_name, spec.baseline_name) == ("plain Ultralytics", "your recipe")
    assert spec.baseline
    assert baseline.taken(plain) == baseline.Taken(("batch", "epochs"), ("nbs",))
    assert baseline.taken(spec) == baseline.Taken(("batch", "epochs", "nbs"), ())
    other = studio.load("baseline={train: {nbs: 16}}", text=CORE)
    assert baseline.taken(other) == baseline.taken(plain)


def test_an_unnamed_optimizer_is_the_one_that_ultralytics_resolves_for_the_baseline(studio: Studio) -> None:
    spec = studio.load(text=CORE)
    small, big = baseline.resolved(spec, **SMALL), baseline.resolved(spec, **BIG)
    own = {"epochs": 12, "batch": 8, "nbs": 8}
    assert small.train_args == {**own, "optimizer": "AdamW", "momentum": 0.9, "warmup_bias_lr": 0.0}
    assert big.train_args == {**own, "optimizer": "MuSGD", "momentum": 0.937, "warmup_bias_lr": 0.0}
    assert small.space.dimensions[0].domain == FloatRange(0.0001429, 0.01429, log=True)
    assert big.space.dimensions[0].domain == FloatRange(0.001, 0.1, log=True)


def test_the_baselines_iterations_decide_and_not_the_trials(studio: Studio) -> None:
    """At nbs 8 a trial of these images would pass 10,000 iterations, where `auto` changes to MuSGD."""
    spec = studio.load(text=CORE)
    facts = {"nc": 3, "train_images": 8_000}
    trial = plan.search_args(baseline.resolved(spec, **facts), {"lr0": 0.01})
    assert trial["optimizer"] == baseline.trial_0(spec, **facts)["optimizer"] == "AdamW"


def test_what_the_study_gives_or_samples_itself_stays(studio: Studio) -> None:
    text = HEAD + "train: {epochs: 12, momentum: 0.8}\nspace: {lr0: [1e-5, 1e-3], warmup_bias_lr: [0, 0.1]}\n"
    spec = studio.load(text=text)
    found = baseline.resolved(spec, **SMALL)
    assert found.train_args == {"epochs": 12, "momentum": 0.8, "optimizer": "AdamW"}
    assert found.space == spec.space
    named = studio.load("train.optimizer=SGD", text=text)
    assert baseline.resolved(named, **SMALL) == named


@pytest.mark.parametrize("optimizer", ["train.optimizer=auto", "space.optimizer=auto"])
def test_auto_is_the_same_as_no_name(studio: Studio, optimizer: str) -> None:
    text = HEAD + "train: {epochs: 12}\nspace: {mosaic: [0, 1]}\n"
    unnamed = baseline.resolved(studio.load(text=text), **SMALL)
    assert baseline.resolved(studio.load(optimizer, text=text), **SMALL) == unnamed
    assert unnamed.train_args["lr0"] == 0.001429  # no trial samples it: it is that of the rule


def test_a_resolved_study_is_resolved_no_further(studio: Studio) -> None:
    once = baseline.resolved(studio.load(text=CORE), **SMALL)
    assert baseline.resolved(once, **BIG) == once


def test_a_range_that_waits_for_its_optimizer_is_written_and_read_as_that(studio: Studio) -> None:
    spec = studio.load(text=CORE)
    assert serialize.from_json(serialize.to_json(spec)) == spec
    assert studio.load(text=serialize.dump_yaml(spec)) == spec
    assert "follows" not in serialize.to_json(baseline.resolved(spec, **SMALL))


def test_a_study_of_an_older_version_keeps_its_whole_train_block_in_trial_0(studio: Studio) -> None:
    spec = studio.load(
        text=HEAD + "train: {epochs: 12, nbs: 8, optimizer: AdamW, fliplr: 0.0}\nspace: {box: [5, 10]}\n"
    )
    former = baseline.former_trial_0(spec, **SMALL)
    assert former["nbs"] == 8
    assert (former["optimizer"], former["fliplr"], "lr0" in former) == ("AdamW", 0.0, False)


def test_a_recipe_is_stored_and_a_baseline_without_one_is_stored_as_before(studio: Studio) -> None:
    plain = studio.load(text=CORE)
    spec = studio.load("baseline={train: {nbs: 8}}", text=CORE)
    assert serialize.from_json(serialize.to_json(spec)) == spec
    assert studio.load(text=serialize.dump_yaml(spec)) == spec
    assert '"baseline":true' in serialize.to_json(plain)
    assert replace(spec, recipe=()) == plain
    assert serialize.differences(plain, spec) == ["baseline.train.nbs: stored nothing, asked 8"]
