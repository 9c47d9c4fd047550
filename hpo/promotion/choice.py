"""Choice of the trial to promote: its settings, and the evidence for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpo.confirmation import record
from hpo.errors import UsageError
from hpo.evidence.document import VerdictClaim, VerdictDocument
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow, TrialRow
from hpo.study.studies import snapshot
from hpo.studyfile.planning import plan
from hpo.studyfile.schema import StudySpec


@dataclass(frozen=True)
class PromotionChoice:
    """Settings of the final training, and the reason for them."""

    row: TrialRow
    """The chosen trial of the search."""
    why: str
    """Reason in one sentence, for a person."""
    verdict: VerdictDocument | None
    """The confirmation's verdict; None without a confirmation."""
    baseline: TrialRow | None
    """The search's baseline, which the settings are compared with; None if it is not complete."""


def choose(storage: Storage, study: StudyRow, asked: int | None) -> PromotionChoice:
    """Choose the trial to promote.

    ``asked`` is the number of a trial. With None, the choice is the confirmed winner, or the baseline if the verdict
    keeps the defaults, or without a verdict the best trial of the search. Raises ``UsageError`` if no trial is
    complete, or if ``asked`` names no complete one.
    """
    if study.plan:
        raise UsageError(f"study {study.name!r} is a confirmation stage: hpo promote {study.searched_name}")
    rows = snapshot.trials(storage, study)
    complete = snapshot.best_first(rows)
    if not complete:
        raise UsageError(f"study {study.name!r} has no complete trial yet: there is nothing to promote; "
                         f"see: hpo status {study.name}")  # fmt: skip
    stage = record.stage_of(storage, study)
    verdict = None if stage is None else stage.verdict
    baseline = next((row for row in complete if row.baseline), None)
    if asked is not None:
        return PromotionChoice(_named(study, rows, complete, asked), f"trial {asked}, as asked for", verdict, baseline)
    if verdict is None:
        done = snapshot.status(storage, study).finished is not None
        why = _unconfirmed(study, complete[0]) + ("" if done else "; and the search is not finished yet")
        return PromotionChoice(complete[0], why, None, baseline)
    if verdict.claim is VerdictClaim.BEATS:
        winner = next(row for row in complete if row.number == verdict.winner)
        why = f"the confirmed winner, trial {winner.number}: it {verdict.sentence}"
        return PromotionChoice(winner, why, verdict, baseline)
    if baseline is None:
        raise UsageError(
            f"study {study.name!r}: trial {verdict.winner} {verdict.sentence}; the search has no complete "
            f"baseline to hand over. Name a trial: hpo promote {study.name} --trial {complete[0].number} --output DIR"
        )
    said = f"of trial {verdict.winner} the confirmation says: {verdict.sentence}"
    return PromotionChoice(baseline, f"the defaults (trial {baseline.number}); {said}", verdict, baseline)


def training_arguments(spec: StudySpec, row: TrialRow) -> dict[str, Any]:
    """Return the arguments of the final training: the trial's, with the epochs of ``final`` and the keys that follow
    them.
    """
    epochs = None if spec.final is None else spec.final.epochs
    if epochs is None or epochs == row.train["epochs"]:
        return dict(row.train)
    named = {*spec.train_args, *dict(spec.space.fixed), *row.params}
    tied = {} if row.baseline or "close_mosaic" in named else {"close_mosaic": plan.tied_close_mosaic(epochs)}
    return {**row.train, "epochs": epochs, **tied}


def _named(study: StudyRow, rows: list[TrialRow], complete: list[TrialRow], asked: int) -> TrialRow:
    row = next((row for row in rows if row.number == asked), None)
    best = ", ".join(str(row.number) for row in complete[:5])
    if row is None:
        raise UsageError(f"--trial {asked}: study {study.name!r} has trials 0 to {rows[-1].number}; the best: {best}")
    if row not in complete:
        ended = row.state.value if row.reason is None else f"{row.state.value} ({row.reason})"
        raise UsageError(f"--trial {asked}: is {ended}; only a complete trial can be promoted, the best: {best}")
    return row


def _unconfirmed(study: StudyRow, best: TrialRow) -> str:
    searched = f"trial {best.number}, the best of the search"
    which = "the baseline, which no trial surpassed" if best.baseline else searched
    return f"{which}, unconfirmed: it may be luck (to know: hpo confirm {study.name})"
