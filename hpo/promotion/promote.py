"""Promotion of a study: choose, train, measure, write and check the folder; then rename it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo import files
from hpo.errors import HpoError
from hpo.orchestration.workspace import Workspace
from hpo.promotion import card, folder
from hpo.promotion.card import Promoted
from hpo.promotion.choice import PromotionChoice
from hpo.promotion.exports import MOST_MISSING
from hpo.promotion.measured import Measured, differences, disagreements, measured
from hpo.promotion.training import Trained
from hpo.promotion.weights_process import WeightsProcess
from hpo.study.database.storage import Storage
from hpo.study.records import Look, StudyRow
from hpo.study.studies import verdicts
from hpo.trial import handed_over as names

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions


@dataclass(frozen=True)
class PromotionRequest:
    """Options of a promotion."""

    output: Path
    """Absolute path of the folder to make."""
    trial: int | None = None
    with_val: bool = False
    exports: tuple[str, ...] = ()
    register: str | None = None
    """Name of the registered model; None to register nothing."""

    def command(self, study: str) -> str:
        words = ["hpo", "promote", study, "--output", str(self.output)]
        words += [] if self.trial is None else ["--trial", str(self.trial)]
        words += ["--with-val"] if self.with_val else []
        return shlex.join([*words, *(word for form in self.exports for word in ("--export", form))])


@dataclass(frozen=True)
class FolderBuilder:
    """Builder of the folder, with the paths and versions that it needs."""

    storage: Storage
    study: StudyRow
    workspace: Workspace
    weights_process: WeightsProcess
    by: str
    versions: dict[str, str]

    def make(self, asked: PromotionRequest, choice: PromotionChoice, trained: Trained) -> Promoted:
        """Make the folder. Raises ``HpoError`` if it does not reproduce its numbers; then nothing is put in place."""
        predictions = self._predictions(trained)
        found = measured(self.study.spec, predictions, trained.point, int(trained.train["imgsz"]))
        looks = self._looks(trained) if "test" in found.splits else 0
        with folder.aside(asked.output) as draft:
            folder.write(draft, asked.output, self.study, trained, found, self.workspace)
            for form in asked.exports:
                self.weights_process.export(draft / names.WEIGHTS, form, found.imgsz, found.point.max_det)
            checked = self.weights_process.check(draft)
            _refuse_unlike(found, checked)
            command, now = asked.command(self.study.name), datetime.now(UTC)
            made = Promoted(self.study, choice, trained, found, checked, looks, self.versions, command, now)
            (draft / names.CARD).write_text(card.render(made))
        return made

    def _predictions(self, trained: Trained) -> dict[str, Predictions]:
        weights, data, keep = trained.weights, self.workspace.data, max(self.study.spec.keep.caches, 4)
        splits = [split for split in ("val", "test") if split in self.study.facts.dataset["splits"]]
        return {split: self.weights_process.predictions(weights, data, split, keep) for split in splits}

    def _looks(self, trained: Trained) -> int:
        """Record the look at the test split, once for these weights; return the number of looks on this data."""
        sha256 = files.digest(trained.weights)
        if not any(each.weights == sha256 for each in verdicts.looks(self.storage, self.study)):
            verdicts.note_look(self.storage, self.study, self.by, Look("test", sha256))
        return sum(each.split == "test" for each in verdicts.looks(self.storage, self.study))


def _refuse_unlike(found: Measured, checked: dict[str, Any]) -> None:
    wrong = [*differences(found.splits, checked["splits"]), *disagreements(checked["exports"], MOST_MISSING)]
    if wrong:
        listed = "\n".join(f"  {line}" for line in wrong)
        raise HpoError(
            f"the folder does not reproduce its numbers when it is loaded afresh:\n{listed}\n"
            "nothing was put in place; the trained weights are kept, and the same command tries again"
        )


def chosen_exports(exports: Sequence[str]) -> tuple[str, ...]:
    """Return each format once, in the order of ``EXPORTS``."""
    return tuple(form for form in names.EXPORTS if form in exports)
