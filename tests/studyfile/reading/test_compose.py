"""Spaces that are composed of parts."""

from __future__ import annotations

import pytest

from hpo.studyfile.arguments import arguments
from hpo.studyfile.planning import rungs
from hpo.studyfile.space import FloatRange, IntRange
from hpo.studyfile.text.places import shipped
from tests.studyfile.conftest import MINIMAL, Studio

BARE = MINIMAL.partition("space:")[0]
PARTS = sorted(path.stem for path in shipped("spaces")[0].glob("*.yaml"))


def test_a_space_is_a_name_a_mapping_or_a_list_of_both(studio: Studio) -> None:
    core = ("lr0", "weight_decay", "mosaic")
    assert studio.load(text=BARE + "space: yolov8-core\n").space.names == core
    assert studio.load(text=BARE + "space: [yolov8-core]\n").space.names == core
    text = BARE + "space: [yolov8-core, {lr0: {low: 1e-4, high: 3e-2, log: true}, box: [5, 10]}]\n"
    space = studio.load(text=text).space
    assert space.names == (*core, "box")
    assert space.dimensions[0].domain == FloatRange(1e-4, 3e-2, log=True)


def test_later_entries_override_earlier_ones_and_may_fix_what_a_part_samples(studio: Studio) -> None:
    space = studio.load(text=BARE + "space: [yolov8-core, {mosaic: 1.0}]\n").space
    assert space.names == ("lr0", "weight_decay")
    assert space.fixed == (("mosaic", 1.0),)


def test_a_part_beside_the_study_comes_before_a_shipped_one(studio: Studio) -> None:
    studio.write("box: [5, 10]\n", "yolov8-core.yaml")
    assert studio.load(text=BARE + "space: yolov8-core\n").space.names == ("box",)


def test_a_study_that_is_named_like_a_part_still_finds_the_part(studio: Studio) -> None:
    from hpo.studyfile.loader import load_file

    path = studio.write(BARE + "space: yolov8-core\n", "yolov8-core.yaml")
    assert load_file(path).space.names == ("lr0", "weight_decay", "mosaic")


def test_an_unknown_part_names_the_nearest(studio: Studio) -> None:
    problem = studio.problem(text=BARE + "space: [yolov8-cor]\n")
    assert (problem.path, problem.line) == ("space[0]", 5)
    assert "did you mean yolov8-core?" in problem.message


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a b", "''", "7"])
def test_a_part_is_a_plain_name(studio: Studio, name: str) -> None:
    assert studio.problem(text=BARE + f"space: [{name}]\n").path == "space[0]"


def test_a_problem_in_a_part_names_its_file_and_line(studio: Studio) -> None:
    part = studio.write("# mine\nlr0: {low: 1, high: 0}\nbx: [1, 2]\n", "mine.yaml")
    problems = studio.problems(text=BARE + "space: mine\n")
    assert [(problem.file, problem.line, problem.path) for problem in problems] == [
        (str(part), 2, "space.lr0"),
        (str(part), 3, "space.bx"),
    ]


@pytest.mark.parametrize("content", ["", "- a\n", "a: [\n", "text"])
def test_a_part_that_is_no_mapping_is_refused(studio: Studio, content: str) -> None:
    studio.write(content, "mine.yaml")
    assert studio.problems(text=BARE + "space: mine\n")


def test_a_name_both_fixed_in_train_and_in_the_space_is_refused_with_the_way_out(studio: Studio) -> None:
    problem = studio.problem("train.mosaic=0.5", text=BARE + "space: yolov8-core\n")
    assert problem.path == "train.mosaic"
    assert "{mosaic: 0.5}" in problem.message


# what is shipped


def test_core_is_what_it_says() -> None:
    assert PARTS == ["nms", "yolov8-augment", "yolov8-core", "yolov8-full", "yolov8-schedule"]


def test_core_and_nms_hold_the_promised_ranges(studio: Studio) -> None:
    space = studio.load("objective=f1", text=BARE + "space: [yolov8-core, nms]\n").space
    assert {dimension.name: dimension.domain for dimension in space.dimensions} == {
        "lr0": FloatRange(1e-3, 1e-1, log=True),  # of SGD
        "weight_decay": FloatRange(1e-5, 1e-3, log=True),
        "mosaic": FloatRange(0.0, 1.0),
        "iou": FloatRange(0.1, 0.9),
        "conf": FloatRange(0.001, 1.0),
    }


def test_a_sampled_nms_has_narrower_bounds_than_a_swept_one_and_the_users_own_are_honoured(studio: Studio) -> None:
    text = BARE + "space: [yolov8-core, nms]\n"
    sampled = studio.load("objective=f1", "postprocess=sampled", text=text).space
    assert sampled.get("iou").domain == FloatRange(0.4, 0.7)  # type: ignore[union-attr]
    assert sampled.get("conf").domain == FloatRange(0.1, 0.5)  # type: ignore[union-attr]
    own = studio.load("objective=f1", text=BARE + "space: [yolov8-core, nms, {conf: [0.2, 0.3]}]\n").space
    assert own.get("conf").domain == FloatRange(0.2, 0.3)  # type: ignore[union-attr]
    assert own.get("iou").domain == FloatRange(0.1, 0.9)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("optimizer", "low", "high"),
    [("AdamW", 1e-4, 1e-2), ("SGD", 1e-3, 1e-1), ("MuSGD", 1e-3, 1e-1), ("{choices: [SGD, AdamW]}", 1e-4, 1e-1)],
)
def test_the_learning_rates_of_core_are_those_of_the_named_optimizer(
    studio: Studio, optimizer: str, low: float, high: float
) -> None:
    text = BARE.replace(", optimizer: SGD", "") + f"space: [yolov8-core, {{optimizer: {optimizer}}}]\n"
    dimension = studio.load(text=text).space.get("lr0")
    assert dimension is not None
    assert (dimension.domain, dimension.follows_optimizer) == (FloatRange(low, high, log=True), False)


def test_schedule_holds_the_promised_ranges(studio: Studio) -> None:
    text = BARE.replace(", optimizer: SGD", "") + "space: yolov8-schedule\n"
    space = studio.load("train.epochs=100", text=text).space
    assert space.get("momentum").domain == FloatRange(0.9, 0.99)  # type: ignore[union-attr]
    assert space.get("warmup_epochs").domain == FloatRange(1.0, 10.0)  # type: ignore[union-attr]
    assert space.get("batch").domain == IntRange(4, 64, log=True)  # type: ignore[union-attr]
    assert space.get("imgsz").domain == IntRange(320, 1280, step=32)  # type: ignore[union-attr]
    assert {"lrf", "cos_lr", "optimizer"} <= set(space.names)


@pytest.mark.parametrize("epochs", [10, 30, 100, 300])
@pytest.mark.parametrize("part", PARTS)
def test_every_shipped_space_makes_a_valid_study_at_any_usual_length(studio: Studio, part: str, epochs: int) -> None:
    optimizer = "" if part in {"yolov8-full", "yolov8-schedule"} else ", optimizer: AdamW"
    text = BARE.replace("epochs: 20, optimizer: SGD", f"epochs: {epochs}{optimizer}")
    parts = "[nms, {mosaic: [0, 1]}]" if part == "nms" else part  # nms is swept, and a search needs a dimension
    spec = studio.load("objective=f1", text=f"{text}space: {parts}\n")
    assert rungs.plan(spec).first is not None


def test_full_varies_what_ultralytics_tunes_but_the_inert(studio: Studio) -> None:
    source = (arguments.package() / "engine" / "tuner.py").read_text()
    block = source[source.index('self.space = args.pop("space"') :]
    tuned = {line.split('"')[1] for line in block[: block.index("}")].splitlines() if line.strip().startswith('"')}
    text = BARE.replace(", optimizer: SGD", "") + "space: yolov8-full\n"
    assert set(studio.load(text=text).space.names) == tuned - {"copy_paste"} | {"optimizer"}


def test_full_drops_what_only_sgd_has_once_the_optimizer_is_fixed(studio: Studio) -> None:
    bare = BARE.replace(", optimizer: SGD", "")
    assert "warmup_momentum" in studio.load(text=bare + "space: yolov8-full\n").space.names
    adam = studio.load(text=bare + "space: [yolov8-full, {optimizer: AdamW}]\n").space
    assert "warmup_momentum" not in adam.names
    few = studio.load(text=bare + "space: [yolov8-full, {optimizer: {choices: [RMSprop, AdamW]}}]\n").space
    assert few.get("warmup_momentum").when[0].values == ("RMSprop",)  # type: ignore[union-attr]


def test_core_without_an_optimizer_waits_for_the_data_to_name_one(studio: Studio) -> None:
    dimension = studio.load(text=BARE.replace(", optimizer: SGD", "") + "space: yolov8-core\n").space.get("lr0")
    assert dimension is not None
    assert dimension.follows_optimizer
