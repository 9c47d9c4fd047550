"""The model card: settings of the study, its result, the quality of the weights, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from hpo.study.records import StudyRow
from hpo.trial import handed_over as names
from hpo.trial import wording


@dataclass(frozen=True)
class Story:
    """Facts that a card states."""

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


def render(story: Story) -> str:
    """Return the card as Markdown; it ends with a newline."""
    study, found = story.study, story.found
    spec = study.spec
    parts = [
        f"# {spec.name}: {Path(spec.model).name} for {', '.join(study.facts.dataset['names'])}",
        f"Its settings: {story.choice.why}.",
        "## What was asked",
        f"Which training settings give {Path(spec.model).name} the best `{spec.objective}`? Searched: "
        f"{', '.join(spec.searched.names) or 'nothing'}; {spec.budget.trials} trials of {spec.epochs} epochs, sampler "
        f"{spec.search.sampler.name}, pruner {spec.search.pruner.name}.",
        "## The data",
        _table(
            ("split", "images", "background", "boxes", "used for"),
            [
                (split, each["images"], each["background"], each["boxes"], _use(split, story))
                for split, each in study.facts.dataset["splits"].items()
            ],
        ),
        "## Evidence that the settings are better than the defaults",
        *_evidence(story),
        "## Settings against the defaults",
        _settings(story),
        "## Final training",
        _training(story.trained),
        "## Operating point",
        f"{wording.setting(found.point)}; {_origin(story.trained)}.{_unlike_predict(found)}",
        "## What these weights are worth",
        _worth(story),
        "AP with `_all` is of all detections down to a confidence of 0.001, as `yolo val` reports it; the rest is of "
        "what lies above the confidence: what a user of the detector sees.",
        "## Check",
        *_check(story),
        "## Use",
        _use_lines(story),
        "## Again",
        f"    {story.command}",
        f"Study {study.uuid}, trial {story.choice.row.number}; data sha256 {study.identity.data_fingerprint}; "
        f"model sha256 {study.identity.model_sha256}. {_software(story)}. Written {story.written_at:%Y-%m-%d %H:%M} "
        "UTC.",
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(story)),
    ]
    return "\n\n".join(parts) + "\n"


def _use(split: str, story: Story) -> str:
    if split == "train":
        return "training"
    if split == "val":
        return (
            "training (it also chose the settings)" if story.trained.with_val else "choosing the settings and the epoch"
        )
    return "measuring"


def _evidence(story: Story) -> Iterable[str]:
    verdict = story.choice.verdict
    if verdict is None:
        yield (
            "None: not confirmed. The best of many noisy trials is lucky in part. To know whether it beats the "
            f"defaults: `hpo confirm {story.study.name}`, then promote again."
        )
    else:
        yield from paragraph(verdict)
        if verdict.winner != story.choice.row.number and not story.choice.row.baseline:
            promoted = story.choice.row.number
            yield f"This verdict is about trial {verdict.winner}, not about trial {promoted}, promoted here."
    if story.looks:
        times = "once" if story.looks == 1 else f"{story.looks} times"
        yield f"The test split of this data has been looked at {times} so far, over all studies on it."


def _settings(story: Story) -> str:
    rows = settings(story.study.spec, story.choice.row, story.choice.baseline)
    if story.choice.row.baseline:
        return "These are the defaults."
    return _table(("argument", "default", "here"), [(f"`{row.name}`", row.default, row.winner) for row in rows])


def _training(trained: Trained) -> str:
    data = "train and val" if trained.with_val else "train"
    which = (
        f"the last epoch's, {trained.epochs} (EMA): with val in the training nothing is left to choose an epoch by"
        if trained.with_val
        else f"of epoch {trained.best_epoch}, the best on val"
    )
    return f"{trained.epochs} epochs on {data}; the weights are {which}."


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


def _worth(story: Story) -> str:
    objective = str(story.study.spec.objective)
    shown = [name for name in NAMES if name != objective]
    rows = []
    for split, values in story.found.splits.items():
        seen = ", trained on" if split == "val" and story.trained.with_val else ""
        for title, scores in (
            ("at its operating point", values),
            ("at conf 0.25, iou 0.7", story.found.defaults[split]),
        ):
            images = f"{split} ({story.found.images[split]} images{seen})"
            rows.append((images, title, scores["objective"], *(scores[name] for name in shown)))
    return _table(("split", "", objective, *shown), rows)


def _check(story: Story) -> Iterable[str]:
    yield (
        "A fresh process loaded this folder alone, predicted every image with Ultralytics' predictor at the operating "
        f"point, and found every number of `{names.METRICS}` again, to within {TOLERANCE:g}."
    )
    for form, splits in story.checked["exports"].items():
        for split, each in splits.items():
            yield (
                f"`{names.EXPORTS[form]}` on {split}: {each['detections'] - each['missing']} of {each['detections']} "
                f"detections are those of `{names.WEIGHTS}` (same class, IoU at least 0.95, scores at most 0.01 apart; "
                f"largest difference of a score {each['score']:.1e}); up to {100 * MOST_MISSING:g}% may differ."
            )


def _use_lines(story: Story) -> str:
    predict = [f"    yolo predict cfg={names.PREDICT} source=IMAGES\n"]
    predict += [
        f"    yolo predict cfg={names.PREDICT} model={names.EXPORTS[form]} source=IMAGES\n"
        for form in story.checked["exports"]
    ]
    plain = story.found.point.is_plain
    moved = (
        "The two YAML files name this folder by its absolute path: change `model` and `data` in them where it is moved."
        if plain
        else f"`{names.HYPERPARAMETERS}` names this folder by its absolute path: change `model` and `data` in it where "
        "it is moved."
    )
    return (
        f"{''.join(predict) if plain else ''}"
        f"    yolo train cfg={names.HYPERPARAMETERS}\n\n"
        f"In Python: `{wording.in_python(names.WEIGHTS, names.POINT)}`. {moved}"
    )


def _limits(story: Story) -> Iterable[str]:
    trained, choice = story.trained, story.choice
    if "test" not in story.found.splits:
        yield "There is no test split: the numbers on val are of images that chose the settings, and are optimistic."
    else:
        yield "Numbers on val are optimistic: val chose the settings" + (
            ", and was trained on." if trained.with_val else "."
        )
    if story.found.finds_nothing:
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


def _software(story: Story) -> str:
    searched, trained = story.study.facts.versions, story.versions
    if searched == trained:
        return f"Searched and trained with {_versions(trained)}"
    return f"Trained with {_versions(trained)}; searched with {_versions(searched)}"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [_line(head), _line(["---"] * len(head))]
    return "\n".join(lines + [_line([_short(cell) for cell in row]) for row in rows])


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
