"""Rules for settings that Ultralytics ignores: dimensions without effect, and values that it replaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from hpo.studyfile.arguments import arguments
from hpo.studyfile.planning.extent import extremes, fixed, place, possible, trained_classes
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Dimension
from hpo.studyfile.text.report import Finding
from hpo.trial.vocabulary import Scalar

Rule = Callable[[StudySpec], Iterator[Finding]]

_OPTIMIZER_KEYS = ("train.optimizer", "space.optimizer")


def sampled(spec: StudySpec, names: Iterable[str], why: str, also: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Refuse each of ``names`` that is sampled."""
    return (Finding(f"space.{name}", why, also) for name in names if name in spec.space.names)


def _auto_is_no_choice(spec: StudySpec) -> Iterator[Finding]:
    """Refuse ``auto`` among optimizers to choose from."""
    if spec.space.get("optimizer") is not None and "auto" in (possible(spec, "optimizer") or ()):
        yield Finding("space.optimizer", f"auto is a rule, not an optimizer: list {', '.join(arguments.OPTIMIZERS)}")


def _recipe_acts(spec: StudySpec) -> Iterator[Finding]:
    """Refuse what ``optimizer: auto`` replaces in the baseline: lr0, momentum and warmup_bias_lr."""
    recipe = dict(spec.recipe)
    if recipe.get("optimizer", "auto") != "auto":
        return
    for name in ("lr0", "momentum", "warmup_bias_lr"):
        if name in recipe:
            why = "does nothing with `optimizer: auto` (Ultralytics' default), which ignores it and uses its own"
            way_out = "name the recipe's optimizer, `baseline: {train: {optimizer: SGD}}`, or drop it"
            yield Finding(f"baseline.train.{name}", f"{why}; {way_out}", ("baseline.train.optimizer",))


def _mosaic_never_on(spec: StudySpec) -> Iterator[Finding]:
    """Refuse mosaic and its companions where they are never on.

    With close_mosaic >= epochs mosaic is closed before the first epoch; unless given, it is tied to epochs.
    """
    if spec.space.get("close_mosaic") is None and "close_mosaic" not in fixed(spec):
        return
    _, longest = extremes(spec, "close_mosaic")
    if longest >= spec.epochs:
        why = (
            f"does nothing where close_mosaic ({longest:g}) is not below epochs ({spec.epochs}): the last "
            "close_mosaic epochs go without it; lower it, or leave it out (it is then a tenth of the epochs)"
        )
        also = ("train.close_mosaic", "space.close_mosaic", "train.epochs")
        yield from sampled(spec, arguments.CLOSED_WITH_MOSAIC, why, also)


def _rect_switches_off(spec: StudySpec) -> Iterator[Finding]:
    if True in (possible(spec, "rect") or ()):
        why = "does nothing with `rect: true`, which switches it off: drop one of them"
        yield from sampled(spec, ("mosaic", "mixup", "cutmix"), why, ("train.rect", "space.rect"))


def _inert(spec: StudySpec) -> Iterator[Finding]:
    for name in spec.space.names:
        if name in arguments.INERT:
            why = f"does nothing in the training of a detector ({arguments.INERT[name]}): remove it"
            yield Finding(f"space.{name}", why)
        if name in arguments.UNSEARCHED:
            why = f"is no dimension of a search ({arguments.UNSEARCHED[name]}): remove it, or fix it under `train`"
            yield Finding(f"space.{name}", why)
    if not fixed(spec).get("distill_model"):
        why = "does nothing without `train.distill_model`: name a teacher, or remove it"
        yield from sampled(spec, ["dis"], why)
    if extremes(spec, "copy_paste")[1] == 0:
        yield from sampled(
            spec, ["copy_paste_mode"], "does nothing while copy_paste is 0: set copy_paste, or remove it"
        )


def _nothing_to_start_from(spec: StudySpec) -> Iterator[Finding]:
    """Refuse what is about weights to start from, where a model from a YAML has none."""
    if spec.model.endswith(".pt") or any(isinstance(value, str) for value in possible(spec, "pretrained") or ()):
        return
    why = "does nothing with a model from a .yaml, which starts from no weights: remove it, or name a .pt"
    yield from sampled(spec, ("pretrained", "cls_remap"), why, ("model", "train.pretrained", "space.pretrained"))


def _closing_nothing(spec: StudySpec) -> Iterator[Finding]:
    if all(extremes(spec, name)[1] == 0 for name in arguments.CLOSED_WITH_MOSAIC):
        why = "does nothing while mosaic, mixup, cutmix and copy_paste are all 0: remove it"
        also = tuple(f"train.{name}" for name in arguments.CLOSED_WITH_MOSAIC)
        yield from sampled(spec, ["close_mosaic"], why, also)


def warmup_momentum(spec: StudySpec) -> Iterator[Finding]:
    """Refuse a warm-up momentum without effect: warm-up leaves the betas of Adam and its relatives alone.

    Which optimizer ``auto`` stands for only the data tells.
    """
    dimension = spec.space.get("warmup_momentum")
    if dimension is None:
        return
    allowed = (*arguments.WITH_MOMENTUM, "auto")
    without = [str(name) for name in _where_active(spec, dimension, "optimizer") if name not in allowed]
    if without:
        only = f"does nothing with the optimizer {', '.join(without)}, only with {', '.join(arguments.WITH_MOMENTUM)}"
        way_out = "write `when: {optimizer: SGD}`, fix such an optimizer, or remove it"
        yield Finding("space.warmup_momentum", f"{only}: {way_out}", _OPTIMIZER_KEYS)


def _where_active(spec: StudySpec, dimension: Dimension, parent: str) -> Sequence[Scalar]:
    """Return the values of ``parent`` for which ``dimension`` is sampled."""
    values = possible(spec, parent) or ()
    for condition in dimension.when:
        if condition.parent == parent:
            values = tuple(value for value in values if value in condition.values)
    return values


def _warmup_too_long(spec: StudySpec) -> Iterator[Finding]:
    """Refuse a warm-up longer than epochs - 1, where Ultralytics cuts it."""
    if "warmup_epochs" not in {*spec.space.names, *fixed(spec)}:
        return
    most, longest = spec.epochs - 1, extremes(spec, "warmup_epochs")[1]
    if longest > most:
        why = f"reaches {longest:g}, but Ultralytics cuts warm-up to epochs - 1 = {most}: stay within it"
        hint = "(in a space, `high: {epochs: 0.3}` follows epochs)"
        yield Finding(place(spec, "warmup_epochs"), f"{why} {hint}", ("train.epochs",))


def _warmup_of_nothing(spec: StudySpec) -> Iterator[Finding]:
    if extremes(spec, "warmup_epochs")[1] <= 0:
        why = "does nothing without warm-up: raise warmup_epochs above 0, or remove it"
        yield from sampled(
            spec, ("warmup_momentum", "warmup_bias_lr"), why, ("train.warmup_epochs", "space.warmup_epochs")
        )


def _classes_stay(spec: StudySpec) -> Iterator[Finding]:
    why = "trials measured on different classes can't be compared: fix it under `train`"
    yield from sampled(spec, ["classes"], why)
    if trained_classes(spec) is not None and True in (possible(spec, "single_cls") or ()):
        why = (
            "with `single_cls: true` labels of the chosen classes can't be told from the others after the training: "
            "drop one of the two, or take the other classes out of the label files"
        )
        yield Finding("train.classes", why, ("train.single_cls", "space.single_cls"))


INERT_RULES: tuple[Rule, ...] = (
    _classes_stay,
    _auto_is_no_choice,
    _recipe_acts,
    _mosaic_never_on,
    _rect_switches_off,
    _inert,
    _nothing_to_start_from,
    _closing_nothing,
    warmup_momentum,
    _warmup_too_long,
    _warmup_of_nothing,
)
