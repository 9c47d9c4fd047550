"""The study file: strict; all problems are reported at once, each with its place."""

from __future__ import annotations

import pytest

from hpo.errors import SpecError
from hpo.studyfile.loader import load_file
from hpo.studyfile.schema import Budget, Keep, Method, Recovery
from hpo.trial.objective import Average, Objective
from hpo.trial.vocabulary import Metric, Postprocess
from tests.studyfile.conftest import MINIMAL, Studio, paths


def test_a_short_study_gets_every_default(studio: Studio) -> None:
    spec = studio.load()
    assert spec.name == "demo"
    assert spec.data == str(studio.folder / "data.yaml")
    assert spec.model == "yolov8n.yaml"
    assert spec.train == (("epochs", 20), ("optimizer", "SGD"))
    assert spec.objective == Objective(Metric.MAP50_95)
    assert (spec.search.sampler, spec.search.pruner, spec.search.seed) == (Method("tpe"), Method("hyperband"), 0)
    assert (spec.budget, spec.keep, spec.recovery) == (Budget(), Keep(), Recovery())
    assert (spec.baseline, spec.postprocess, spec.plots) == (True, Postprocess.NONE, "best")


def test_all_problems_come_in_one_report_each_with_file_line_and_key(studio: Studio) -> None:
    text = """\
name: De mo
dat: data.yaml
model: yolov8n-seg.yaml
train: {epochs: 10.5, img_sz: 96}
space:
  lr0: {low: 1e-1, high: 1e-4}
  mosiac: {low: 0, high: 1}
budget: {trails: 3}
search: {sampler: tpee, pruner: {name: percentile}}
"""
    found = {problem.path: (problem.line, problem.message) for problem in studio.problems(text=text)}
    assert {path: line for path, (line, _) in found.items()} == {
        "name": 1,
        "dat": 2,
        "data": 1,
        "model": 3,
        "train.epochs": 4,
        "train.img_sz": 4,
        "space.lr0": 6,
        "space.mosiac": 7,
        "budget.trails": 8,
        "search.sampler": 9,
        "search.pruner": 9,
    }
    assert "did you mean data?" in found["dat"][1]
    assert "did you mean imgsz?" in found["train.img_sz"][1]
    assert "did you mean mosaic?" in found["space.mosiac"][1]
    assert found["budget.trails"][1] == "unknown key; did you mean trials? (valid: hours, trials)"
    assert "did you mean tpe?" in found["search.sampler"][1]


def test_a_problem_causes_no_further_problem(studio: Studio) -> None:
    """Only the wrong optimizer is a problem; without an optimizer, the ignored lr0 is not a second one."""
    assert paths(studio.problems("train.optimizer=Adamm")) == ["train.optimizer"]
    assert paths(studio.problems("space=[nonsense]", "search.enqueue=[{lr0: 0.01}]")) == ["space[0]"]


@pytest.mark.parametrize("key", ["name", "data", "model", "space"])
def test_the_four_keys_that_make_a_study_are_required(studio: Studio, key: str) -> None:
    problem = studio.problem(f"{key}=null")
    assert (problem.path, problem.message) == (key, "is missing")


@pytest.mark.parametrize("name", ["a", "7", "a.b_c-d", "x" * 63])
def test_a_name_fits_a_folder_and_a_url(studio: Studio, name: str) -> None:
    assert studio.load(f"name='{name}'").name == name


@pytest.mark.parametrize("name", ["Demo", "de mo", "-a", "a/b", "x" * 64, "ü"])
def test_another_name_is_refused(studio: Studio, name: str) -> None:
    assert "63" in studio.problem(f"name='{name}'").message


def test_a_quoted_number_is_a_number_where_one_is_expected(studio: Studio) -> None:
    spec = studio.load("train.batch='8'", "budget.hours='1e-1'", "space.lr0={low: '1e-4', high: '1e-2'}")
    assert spec.train_args["batch"] == 8
    assert spec.budget.hours == 0.1
    assert studio.problem("train.batch=eight").path == "train.batch"


@pytest.mark.parametrize("objective", ["f1", "{metric: f1}", "{metric: f1, goal: maximize}"])
def test_an_objective_is_a_metric_or_a_mapping(studio: Studio, objective: str) -> None:
    assert studio.load(f"objective={objective}").objective == Objective(Metric.F1)


def test_another_goal_and_several_objectives_are_refused_with_the_reason(studio: Studio) -> None:
    assert "better when larger" in studio.problem("objective={metric: f1, goal: minimize}").message
    assert "one objective is supported so far" in studio.problem("objective=[f1, map50]").message
    assert "did you mean map50?" in studio.problem("objective=map5").message


@pytest.mark.parametrize(
    ("overrides", "postprocess"),
    [
        ((), Postprocess.NONE),
        (("objective=f1",), Postprocess.NONE),
        (("space.iou=[0.4, 0.7]",), Postprocess.SWEPT),
        (("space.agnostic_nms=true",), Postprocess.SWEPT),
        (("objective=f2",), Postprocess.SWEPT),
        (("objective=f1 micro",), Postprocess.SWEPT),
        (("objective=map_small",), Postprocess.SWEPT),
        (("objective=recall at precision >= 0.9",), Postprocess.SWEPT),
        (("space.iou=[0.4, 0.7]", "postprocess=sampled"), Postprocess.SAMPLED),
    ],
)
def test_the_space_and_the_objective_say_where_the_operating_point_comes_from(
    studio: Studio, overrides: tuple[str, ...], postprocess: Postprocess
) -> None:
    assert studio.load(*overrides).postprocess is postprocess


def test_what_is_swept_is_not_searched(studio: Studio) -> None:
    names = ("space.iou=[0.4, 0.7]", "space.conf=0.3", "space.max_det=100", "objective=f1")
    swept = studio.load(*names)
    assert swept.searched.names == ("lr0",)
    assert swept.searched.fixed == ()
    assert swept.space.names == ("lr0", "iou")
    assert studio.load(*names, "postprocess=sampled").searched.names == ("lr0", "iou")


@pytest.mark.parametrize("objective", ["f2 micro", "{metric: f2 micro}", "{metric: f2 micro, goal: maximize}"])
def test_the_grammar_of_objectives_is_read_in_both_forms(studio: Studio, objective: str) -> None:
    assert studio.load(f"objective={objective}").objective == Objective(Metric.F1, Average.MICRO, beta=2.0)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("f1 at recall > 0.5", "is no condition"),
        ("recall at recall >= 0.5", "bound another quantity"),
        ("f1 at fp_per_image >= 2", "bounded from above"),
        ("map50 micro", "mean over classes"),
        ("f1 at precision >= 1.5", "lies in 0 to 1"),
        ("f1 at fp_per_image <= 1e999", "no finite number"),
        ("7", "must be a text"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused(studio: Studio, objective: str, message: str) -> None:
    problem = studio.problem(f"objective={objective}")
    assert problem.path == "objective"
    assert message in problem.message


def test_what_is_swept_can_not_be_proposed(studio: Studio) -> None:
    swept = ("space.conf=[0.1, 0.5]", "objective=f1", "search.enqueue=[{lr0: 0.01, conf: 0.3}]")
    problem = studio.problem(*swept)
    assert problem.path == "search.enqueue[0].conf"
    assert "swept after each training" in problem.message
    assert studio.load(*swept, "postprocess=sampled").search.enqueue == ((("conf", 0.3), ("lr0", 0.01)),)


def test_a_sampler_is_a_name_or_a_mapping_with_options(studio: Studio) -> None:
    assert studio.load("search.sampler=gp").search.sampler == Method("gp")
    spec = studio.load("search.sampler={name: tpe, n_startup_trials: 3}")
    assert spec.search.sampler == Method("tpe", (("n_startup_trials", 3),))
    assert "write `name: ...`" in studio.problem("search.sampler={n_startup_trials: 3}").message
    assert "search.seed" in studio.problem("search.sampler={name: tpe, seed: 3}").message


# overrides


def test_an_override_wins_over_the_file(studio: Studio) -> None:
    spec = studio.load("train.epochs=3", "train.batch=4", "budget.trials=7", "search.sampler.n_startup_trials=3",
                       text=MINIMAL + "search: {sampler: tpe}\n")  # fmt: skip
    assert spec.epochs == 3
    assert spec.train_args["batch"] == 4
    assert spec.budget.trials == 7
    assert spec.search.sampler == Method("tpe", (("n_startup_trials", 3),))


def test_an_override_of_the_space_goes_on_top_of_its_parts(studio: Studio) -> None:
    text = MINIMAL.replace("space:\n  lr0: {low: 1e-4, high: 1e-1, log: true}\n", "space: yolov8-core\n")
    spec = studio.load("space.lr0={low: 1e-3, high: 1e-2}", text=text)
    assert spec.space.names == ("lr0", "weight_decay", "mosaic")
    assert spec.space.dimensions[0].domain.low == 1e-3  # type: ignore[union-attr]
    spec = studio.load("space.mosaic=0.5", text=text.replace("yolov8-core", "[yolov8-core, {lr0: [0.1, 0.2]}]"))
    assert spec.space.fixed == (("mosaic", 0.5),)


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("train.epochs=many", "train.epochs"),
        ("train.epochs", "train.epochs"),
        ("=3", "=3"),
        ("train.epochs=[1", "train.epochs"),
        ("trian.epochs=3", "trian"),
        ("name.first=x", "name"),
    ],
)
def test_a_problem_of_an_override_names_it(studio: Studio, override: str, path: str) -> None:
    problem = studio.problem(override)
    assert problem.path == path
    assert problem.file == "override"
    assert problem.line == 0


def test_the_error_is_one_readable_text(studio: Studio) -> None:
    path = studio.write(MINIMAL.replace("epochs: 20", "epochs: 0"))
    with pytest.raises(SpecError) as caught:
        load_file(path)
    assert str(caught.value) == f"{path}:4: train.epochs: 0 is below 1, the least that can be honoured"
    assert caught.value.exit_code == 2
