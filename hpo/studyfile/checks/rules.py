"""Rules that refuse a study before its first epoch, each with the reason and the way out.

Every rule is for something that Ultralytics 8.4.190 would do silently: ignore a value, replace it, or train the same
model whatever the sampler says. ``check`` needs only the study, ``check_facts`` also the dataset and the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from hpo.studyfile.checks.inert import INERT_RULES, Rule, sampled, warmup_momentum
from hpo.studyfile.checks.model import ModelFacts, model_fits
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.planning import grid, sweep
from hpo.studyfile.planning.baseline import resolved
from hpo.studyfile.planning.extent import extremes, fixed, place, possible, trained_classes
from hpo.studyfile.schema import LONGEST_NAME, POSTPROCESSING_NAMES, STAGE_SUFFIX, StudySpec
from hpo.studyfile.space import FloatRange, contains
from hpo.studyfile.text.report import Finding, nearest
from hpo.trial.objective import PLAIN_METRICS
from hpo.trial.vocabulary import Postprocess


def check(spec: StudySpec) -> list[Finding]:
    """Return the problems of the study itself."""
    return [finding for rule in _RULES for finding in rule(spec)]


def _something_is_sampled(spec: StudySpec) -> Iterator[Finding]:
    if spec.searched.dimensions:
        return
    if spec.space.dimensions:
        why = (
            "names nothing but what is swept after each training, every trial would be the same: add a training "
            "argument, as in `space: [yolov8-core, nms]`; finished weights are swept by `hpo sweep`"
        )
        yield Finding("space", why, ("train", "postprocess"))
    else:
        why = "samples nothing, every trial would be the same: give a name a range or choices"
        yield Finding("space", why, ("train",))


def _fixed_and_in_the_space(spec: StudySpec) -> Iterator[Finding]:
    for name in (*spec.space.names, *dict(spec.space.fixed)):
        if name in spec.train_args:
            why = (
                f"the space has {name} too: to fix what a part samples write it in the space after the part, "
                f"`space: [..., {{{name}: {spec.train_args[name]}}}]`, and drop it here"
            )
            yield Finding(f"train.{name}", why, (f"space.{name}",))


def _monotone_conf(spec: StudySpec) -> Iterator[Finding]:
    metric = spec.objective.metric
    if "conf" in spec.searched.names and metric.row.is_monotone:
        why = (
            f"{metric.value} only rises or falls with conf, so the sampler would run to a bound: "
            "use `objective: f1` or `postprocess: swept`, or leave conf out of the space"
        )
        yield Finding("space.conf", why, ("objective", "postprocess"))


def _one_sided(spec: StudySpec) -> Iterator[Finding]:
    """Refuse a one-sided objective: one sure detection gives precision 1, and reporting everything the best recall."""
    objective = spec.objective
    holds_back = objective.metric.row.held_back_by
    if not spec.is_swept or not holds_back or any(each.quantity in holds_back for each in objective.constraints):
        return
    bounded = f"bound {holds_back[0]}, as in `{objective.metric} at {holds_back[0]} >= 0.9`, or use `objective: f1`"
    yield Finding("objective", f"{objective} alone would run to a bound of conf: {bounded}", ("postprocess",))


def _classes_are_told_apart(spec: StudySpec) -> Iterator[Finding]:
    """Refuse class names under single_cls: the model then knows one class, named item."""
    named = [constraint for constraint in spec.objective.constraints if constraint.cls is not None]
    if named and True in (possible(spec, "single_cls") or ()):
        drop = f"drop `[{named[0].cls}]`, or single_cls"
        why = f"`{named[0]}`: with `single_cls: true` the model tells no classes apart: {drop}"
        yield Finding("objective", why, ("train.single_cls", "space.single_cls"))


def _objective_needs_a_sweep(spec: StudySpec) -> Iterator[Finding]:
    if not spec.is_swept and not spec.objective.is_plain:
        why = (
            f"{spec.objective} is found by a sweep of the trained model's predictions, and `postprocess: "
            f"{spec.postprocess}` makes none: write `postprocess: swept`, or one of {', '.join(PLAIN_METRICS)}"
        )
        yield Finding("objective", why, ("postprocess",))


def _postprocess_fits(spec: StudySpec) -> Iterator[Finding]:
    named = [name for name in (*spec.space.names, *dict(spec.space.fixed)) if name in POSTPROCESSING_NAMES]
    if named and spec.postprocess is Postprocess.NONE:
        why = (
            f"none measures at Ultralytics' own settings, but the space names {', '.join(named)}: "
            "write `postprocess: swept` (or `sampled`), or remove them from the space"
        )
        yield Finding("postprocess", why, ("space",))
    if not named and spec.postprocess is Postprocess.SAMPLED:
        why = (
            "sampled needs a post-processing name in the space (iou, conf, max_det, agnostic_nms): "
            "add the part nms, as in `space: [yolov8-core, nms]`"
        )
        yield Finding("postprocess", why, ("space",))


def _only_a_sweep_tries_kinds(spec: StudySpec) -> Iterator[Finding]:
    makes_none = f"`mode: {spec.postprocess}` makes none: write `mode: swept`, or drop it"
    for name, given in (("kinds", spec.kinds is not None), ("per_class", spec.per_class)):
        if given and not spec.is_swept:
            yield Finding(f"postprocess.{name}", f"says what a sweep tries, and {makes_none}", ("postprocess",))


def _warm_start_fits(spec: StudySpec) -> Iterator[Finding]:
    if spec.name in spec.warm_start:
        yield Finding("warm_start", f"{spec.name} is this study itself: name earlier ones")
    if spec.warm_start and SAMPLERS[spec.search.sampler.name].enumerates:
        why = "a grid tries each of its points whatever is known: drop this, or use another sampler"
        yield Finding("warm_start", why, ("search.sampler",))


def _grid_is_finite(spec: StudySpec) -> Iterator[Finding]:
    if SAMPLERS[spec.search.sampler.name].enumerates:
        domains = {dimension.name: dimension.domain for dimension in spec.searched.dimensions}
        endless = [name for name, domain in domains.items() if isinstance(domain, FloatRange) and domain.step is None]
        why = "has no grid: with `sampler: grid` give it `step` or choices"
        yield from sampled(spec, endless, why, ("search.sampler", "postprocess"))
        if (points := grid.size(spec.searched)) > grid.MOST:
            why = f"has a grid of {points} points, more than {grid.MOST}: widen steps, or use another sampler"
            yield Finding("space", why, ("search.sampler", "postprocess"))


def _pruner_agrees(spec: StudySpec) -> Iterator[Finding]:
    options = dict(spec.search.pruner.options)
    if "max_resource" in options and options["max_resource"] < options.get("min_resource", 1):
        yield Finding("search.pruner", "max_resource lies below min_resource: swap them")


def _stage_can_be_named(spec: StudySpec) -> Iterator[Finding]:
    longest = LONGEST_NAME - len(STAGE_SUFFIX)
    if spec.confirm is not None and len(spec.name) > longest:
        since = f"since the stage is stored as <name>{STAGE_SUFFIX}"
        yield Finding(
            "name", f"has {len(spec.name)} characters; with `confirm` at most {longest}, {since}", ("confirm",)
        )


_RULES: tuple[Rule, ...] = (
    _stage_can_be_named,
    _something_is_sampled,
    _fixed_and_in_the_space,
    *INERT_RULES,
    _monotone_conf,
    _one_sided,
    _objective_needs_a_sweep,
    _classes_are_told_apart,
    _postprocess_fits,
    _only_a_sweep_tries_kinds,
    sweep.check,
    _grid_is_finite,
    _warm_start_fits,
    _pruner_agrees,
)


class SplitFacts(Protocol):
    """What is counted of a split (``hpo.dataset.summary.SplitSummary``); the counts never change."""

    @property
    def images(self) -> int:
        """Images, with or without labels."""

    @property
    def boxes(self) -> int:
        """Labels: boxes and polygons together."""

    @property
    def polygons(self) -> int:
        """Labels that are polygons."""


class DatasetFacts(Protocol):
    """What is known of a dataset (``hpo.dataset.summary.DatasetSummary``); it never changes."""

    @property
    def splits(self) -> Mapping[str, SplitFacts]:
        """Facts by the split's name; ``train`` is always there."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the classes."""
        ...

    @property
    def channels(self) -> int:
        """Channels of the images, as Ultralytics reads them."""
        ...

    def objects(self, split: str, areas: tuple[float, float] | None = None) -> Iterable[int]:
        """Read the labels of a split.

        Args:
            split: Name of the split.
            areas: The range of sizes that counts, [low, high) in square pixels; None for all.

        Returns:
            The class of each label.
        """
        ...


def check_facts(spec: StudySpec, dataset: DatasetFacts, model: ModelFacts | None) -> list[Finding]:
    """Return the problems of the study with this dataset and model. An unknown model skips the rules that need it.

    The reader of a dataset checks that every split has images and labels (``hpo.dataset.description``).
    """
    spec = resolved(spec, nc=len(dataset.names), train_images=dataset.splits["train"].images)
    found = [*warmup_momentum(spec), *_proposals_fit(spec)]
    found += [*_copy_paste_has_polygons(spec, dataset), *_single_image(spec, dataset)]
    found += list(_classes_exist(spec, dataset)) or list(_val_can_answer(spec, dataset))
    return found if model is None else [*found, *model_fits(spec, model, lambda: dataset.channels)]


def _proposals_fit(spec: StudySpec) -> Iterator[Finding]:
    """Refuse a proposal outside a range that follows the optimizer of the data."""
    for position, proposal in enumerate(spec.search.enqueue):
        for name, value in proposal:
            dimension = spec.searched.get(name)
            if dimension is not None and not contains(dimension.domain, value):
                low, high = extremes(spec, name)
                why = f"{value} lies outside the space: {low:g} to {high:g}, which follows the optimizer that "
                why += f"Ultralytics chooses for this data; stay within it, or give {name} a range of its own"
                yield Finding(f"search.enqueue[{position}].{name}", why, (f"space.{name}",))


def _copy_paste_has_polygons(spec: StudySpec, dataset: DatasetFacts) -> Iterator[Finding]:
    train = dataset.splits["train"]
    wanted = "copy_paste" in {*spec.space.names} or bool(fixed(spec).get("copy_paste"))
    if not wanted or (train.polygons and train.polygons >= train.boxes):
        return
    has = f"only {train.polygons} of {train.boxes} labels are" if train.polygons else "no label is"
    why = f"it pastes polygons, and {has} one (Ultralytics drops them unless all are); remove it"
    yield Finding(place(spec, "copy_paste"), f"does nothing with this dataset: {why}")


def _single_image(spec: StudySpec, dataset: DatasetFacts) -> Iterator[Finding]:
    """Refuse a last batch of one image at a size below 64: BatchNorm gets a single value, and Ultralytics raises."""
    shrunk = extremes(spec, "imgsz")[0] * (1 - extremes(spec, "multi_scale")[1])
    images = dataset.splits["train"].images
    if max(32, shrunk) >= 64 or images == 0:
        return
    batches = (int(value) for value in possible(spec, "batch") or () if isinstance(value, int))
    bad = next((batch for batch in batches if (images % batch or batch) == 1), None)
    if bad is not None:
        path = place(spec, "batch") if "batch" in {*spec.space.names, *fixed(spec)} else "train"
        why = (
            f"batch {bad} leaves a last batch of one of the {images} training images, which can't be trained at an "
            "imgsz below 64: choose another batch, or an imgsz (less multi_scale) of at least 64"
        )
        yield Finding(path, why)


def _classes_exist(spec: StudySpec, dataset: DatasetFacts) -> Iterator[Finding]:
    count = len(dataset.names)
    if wrong := sorted(index for index in trained_classes(spec) or () if index >= count):
        why = f"the dataset has no class {wrong[0]}: its {count} classes are 0 to {count - 1}"
        yield Finding("train.classes", why)
    for constraint in spec.objective.constraints:
        name = constraint.cls
        if name is not None and name not in dataset.names:
            near = nearest(name, dataset.names)
            yield Finding("objective", f"`{constraint}`: the dataset has no class {name}{near}")


def _val_can_answer(spec: StudySpec, dataset: DatasetFacts) -> Iterator[Finding]:
    """Refuse what val can't measure, since every trial would be worth the same: a class or a size without labels."""
    objective, names, only = spec.objective, dataset.names, trained_classes(spec)
    named = [constraint for constraint in objective.constraints if constraint.cls is not None]
    present = set(dataset.objects("val")) if named or only is not None else set()
    for constraint in named:
        index = list(names).index(str(constraint.cls))
        if only is not None and index not in only:
            why = (
                f"`{constraint}`: `train.classes` leaves {constraint.cls} out: add {index} there, or drop the condition"
            )
            yield Finding("objective", why, ("train.classes",))
        elif index not in present:
            why = f"no image of the split val has a label of {constraint.cls}: add some, or drop the condition"
            yield Finding("objective", f"`{constraint}`: {why}")
    if only is not None and not only & present:
        listed = ", ".join(names[index] for index in sorted(only))
        why = f"no image of the split val has a label of {listed}: add some, or name other classes"
        yield Finding("train.classes", why)
    elif (areas := objective.metric.row.areas) and not any(
        only is None or index in only for index in dataset.objects("val", areas)
    ):
        size = f"{objective.metric.value.removeprefix('map_')} object (area from {areas[0]:g} to {areas[1]:g} px)"
        why = f"the split val has no {size}, so that every trial would be worth 0: use map50_95, or another size"
        yield Finding("objective", why, ("train.classes",) if only is not None else ())
