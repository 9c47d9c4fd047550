"""The model card: settings of the study, its result, the quality of the weights, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hpo.confirmation.words import paragraph
from hpo.promotion.choice import PromotionChoice
from hpo.promotion.exports import MOST_MISSING
from hpo.promotion.measured import NAMES, TOLERANCE, Measured
from hpo.promotion.training import Trained
from hpo.report.facts import settings
from hpo.report.markdown import table
from hpo.report.words import versions
from hpo.study.records import StudyRow
from hpo.texts import Markdown, in_code, in_markdown, visible
from hpo.trial import handed_over as names
from hpo.trial import wording


@dataclass(frozen=True)
class Promoted:
    """Content of a finished folder, and all that its card states."""

    study: StudyRow
    choice: PromotionChoice
    trained: Trained
    found: Measured
    checked: dict[str, Any]
    """Result of ``hpo.training.measuring.verifying.verify``."""
    looks: int
    """Number of looks at the test split of this data, this one included; 0 if there is none."""
    versions: dict[str, str]
    """Versions of the packages that the final training ran with."""
    command: str
    """Command that makes the folder again."""
    written_at: datetime

    @property
    def split(self) -> str:
        """Return ``test`` if the data has it, since its images chose nothing; otherwise ``val``."""
        return "test" if "test" in self.found.splits else "val"


def render(made: Promoted) -> str:
    """Return the card as Markdown; it ends with a newline."""
    study, found = made.study, made.found
    spec, model, splits = study.spec, Path(study.spec.model).name, study.facts.dataset["splits"].items()
    data = [(name, each["images"], each["background"], each["boxes"], _use(name, made)) for name, each in splits]
    parts = [
        "# " + in_markdown(f"{spec.name}: {model} for {', '.join(study.facts.dataset['names'])}"),
        in_markdown(f"Its settings: {made.choice.why}."),
        "## What was asked",
        f"Which training settings give {in_markdown(model)} the best `{in_code(str(spec.objective))}`? Searched: "
        f"{', '.join(spec.searched.names) or 'nothing'}; {spec.budget.trials} trials of {spec.epochs} epochs, sampler "
        f"{spec.search.sampler.name}, pruner {spec.search.pruner.name}.",
        "## The data",
        table(("split", "images", "background", "boxes", "used for"), data),
        "## Evidence that the settings are better than the defaults",
        *_evidence(made),
        "## Settings against the defaults",
        _settings(made),
        "## Final training",
        _training(made.trained),
        "## Operating point",
        f"{wording.setting(found.point)}; {_origin(made.trained)}.{_unlike_predict(found)}",
        "## What these weights are worth",
        _worth(made),
        "AP with `_all` is of all detections down to a confidence of 0.001, as `yolo val` reports it; the rest is of "
        "what lies above the confidence: what a user of the detector sees.",
        "## Check",
        *_check(made.checked),
        "## Use",
        _use_lines(made),
        "## Again",
        f"    {visible(made.command)}",
        f"Study {study.uuid}, trial {made.choice.row.number}; data sha256 {study.identity.data_fingerprint}; model "
        f"sha256 {study.identity.model_sha256}. {_software(made)}. Written {made.written_at:%Y-%m-%d %H:%M} UTC.",
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(made)),
    ]
    return "\n\n".join(parts) + "\n"


def _use(split: str, made: Promoted) -> str:
    chose = "training (it also chose the settings)" if made.trained.with_val else "choosing the settings and the epoch"
    return {"train": "training", "val": chose}.get(split, "measuring")


def _evidence(made: Promoted) -> Iterable[str]:
    verdict, row = made.choice.verdict, made.choice.row
    if verdict is None:
        yield (
            "None: not confirmed. The best of many noisy trials is lucky in part. To know whether it beats the "
            f"defaults: `hpo confirm {made.study.name}`, then promote again."
        )
    else:
        yield from map(in_markdown, paragraph(verdict))
        if verdict.winner != row.number and not row.baseline:
            yield f"This verdict is about trial {verdict.winner}, not about trial {row.number}, promoted here."
    if made.looks:
        times = "once" if made.looks == 1 else f"{made.looks} times"
        yield f"The test split of this data has been looked at {times} so far, over all studies on it."


def _settings(made: Promoted) -> str:
    if made.choice.row.baseline:
        return "These are the defaults."
    rows = settings(made.study.spec, made.choice.row, made.choice.baseline)
    return table(
        ("argument", "default", "here"), [(Markdown(f"`{row.name}`"), row.default, row.winner) for row in rows]
    )


def _training(trained: Trained) -> str:
    if trained.with_val:
        return (
            f"{trained.epochs} epochs on train and val; the weights are the last epoch's, {trained.epochs} (EMA): with "
            "val in the training nothing is left to choose an epoch by."
        )
    return f"{trained.epochs} epochs on train; the weights are of epoch {trained.best_epoch}, the best on val."


def _origin(trained: Trained) -> str:
    if trained.sweep is not None:
        return f"swept on val with these weights ({wording.gain(trained.sweep)})"
    return "fixed before the final training"


def _unlike_predict(found: Measured) -> str:
    """Return the warning about a setting that ``yolo predict`` can't apply."""
    point = found.point
    if point.is_plain:
        return ""
    what = [] if point.kind.is_plain else [wording.suppression(point)]
    what += [] if point.per_class_conf is None else ["each class has a confidence of its own"]
    return f" {'; '.join(what)}. `yolo predict` can't do that: `hpo.deploy` does."


def _worth(made: Promoted) -> str:
    objective, found = str(made.study.spec.objective), made.found
    shown = [name for name in NAMES if name != objective]
    rows = []
    for split, values in found.splits.items():
        seen = ", trained on" if split == "val" and made.trained.with_val else ""
        images = f"{split} ({found.images[split]} images{seen})"
        for title, scores in (("at its operating point", values), ("at conf 0.25, iou 0.7", found.defaults[split])):
            rows.append((images, title, *(scores[name] for name in ("objective", *shown))))
    return table(("split", "", objective, *shown), rows)


def _check(checked: dict[str, Any]) -> Iterable[str]:
    yield (
        "A fresh process loaded this folder alone, predicted every image with Ultralytics' predictor at the operating "
        f"point, and found every number of `{names.METRICS}` again, to within {TOLERANCE:g}."
    )
    for form, splits in checked["exports"].items():
        for split, each in splits.items():
            yield (
                f"`{names.EXPORTS[form]}` on {split}: {each['detections'] - each['missing']} of {each['detections']} "
                f"detections are those of `{names.WEIGHTS}` (same class, IoU at least 0.95, scores at most 0.01 apart; "
                f"largest difference of a score {each['score']:.1e}); up to {100 * MOST_MISSING:g}% may differ."
            )


def _use_lines(made: Promoted) -> str:
    commands, moved, them = [f"train cfg={names.HYPERPARAMETERS}"], f"`{names.HYPERPARAMETERS}` names", "it"
    if made.found.point.is_plain:
        predict = f"predict cfg={names.PREDICT}"
        exports = [f"{predict} model={names.EXPORTS[form]} source=IMAGES" for form in made.checked["exports"]]
        commands = [f"{predict} source=IMAGES", *exports, *commands]
        moved, them = "The two YAML files name", "them"
    lines = "".join(f"    yolo {command}\n" for command in commands)
    return (
        f"{lines}\nIn Python: `{wording.in_python(names.WEIGHTS, names.POINT)}`. {moved} this folder by its absolute "
        f"path: change `model` and `data` in {them} where it is moved."
    )


def _limits(made: Promoted) -> Iterable[str]:
    trained, choice = made.trained, made.choice
    if made.split == "val":
        yield "There is no test split: the numbers on val are of images that chose the settings, and are optimistic."
    else:
        trained_on = ", and was trained on" if trained.with_val else ""
        yield f"Numbers on val are optimistic: val chose the settings{trained_on}."
    yield from (in_markdown(f"{caution[0].upper()}{caution[1:]}.") for caution in made.study.facts.cautions)
    if made.found.finds_nothing:
        yield "At its operating point it finds nothing that is right on these images: it is of no use as it is."
    if choice.verdict is None:
        yield "The settings are not confirmed."
    if trained.epochs != choice.row.epochs:
        yield (
            f"The settings were chosen with {choice.row.epochs} epochs a trial and are trained with {trained.epochs} "
            "here: the best settings of a short training are not always those of a long one."
        )
    yield "One training, one seed: another one would give other numbers, by about the noise that the evidence states."
    yield "Nothing is known of images unlike those of the data."


def _software(made: Promoted) -> str:
    searched, trained = made.study.facts.versions, made.versions
    if searched == trained:
        return f"Searched and trained with {versions(trained)}"
    return f"Trained with {versions(trained)}; searched with {versions(searched)}"
