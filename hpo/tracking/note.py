"""Description of the experiment, which MLflow's UI shows above the table: question, progress, best trials.

The text between two marks is written anew. Text that people write above or below stays. If people change the text
between the marks, their change stays too, and nothing more is written until they remove it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpo.evidence.document import VerdictDocument
from hpo.study.records import StudyRow, TrialRow
from hpo.study.studies import snapshot
from hpo.studyfile.schema import StudySpec
from hpo.texts import in_code, in_markdown
from hpo.trial import wording
from hpo.trial.vocabulary import TrialState

NOTE_TAG = "mlflow.note.content"
DIGEST_TAG = "hpo.note"
"""Tag of the experiment: sha256 of the text that was last written between the marks."""
BEGIN = "<!-- hpo writes what follows anew, down to the next such line: write above or below -->"
END = "<!-- hpo: end -->"
_ROWS, _PARAMS = 5, 5


def write(client: Any, experiment_id: str, text: str) -> None:
    """Update the description; text that a person wrote stays as it is."""
    tags = client.get_experiment(experiment_id).tags
    whole = merged(tags.get(NOTE_TAG, ""), tags.get(DIGEST_TAG), text)
    if whole is not None and whole != tags.get(NOTE_TAG):
        client.set_experiment_tag(experiment_id, DIGEST_TAG, _digest(text))
        client.set_experiment_tag(experiment_id, NOTE_TAG, whole)


def merged(stored: str, digest: str | None, text: str) -> str | None:
    """Return the whole description with ``text`` between the marks; None if a person has changed that part.

    ``digest`` is the digest of the text that was last written there.
    """
    if not stored.strip():
        return f"{BEGIN}\n{text}\n{END}"
    above, begin, rest = stored.partition(BEGIN)
    inside, end, below = rest.partition(END)
    if not (begin and end) or _digest(inside.strip()) not in (digest, _digest(text)):
        return None
    return f"{above}{BEGIN}\n{text}\n{END}{below}"


def text(study: StudyRow, trials: Sequence[TrialRow], verdict: VerdictDocument | None) -> str:
    """Return Markdown without an empty line at its ends. ``verdict`` is the verdict of the confirmation."""
    spec = study.spec
    best = snapshot.best_first(trials)[:_ROWS]
    standing = f"best {best[0].value:.4f} (trial {best[0].number})" if best else "nothing complete yet"
    title = f"### {in_markdown(f'{spec.name}: {spec.objective}')} of `{in_code(Path(spec.model).name)}`, {standing}"
    told = [] if verdict is None else [f"**Verdict:** {in_markdown(verdict.sentence)}"]
    table = [_table(spec, best)] if best else []
    told += [f"**Caution:** {in_markdown(caution)}." for caution in study.facts.cautions]
    return "\n\n".join([title, *told, _counts(spec, trials), *table, _asked(study)])


def _counts(spec: StudySpec, trials: Sequence[TrialRow]) -> str:
    counts = Counter(row.state for row in trials)
    told = ", ".join(f"{counts[state]} {state.lower()}" for state in TrialState if counts[state]) or "none yet"
    return f"Of {spec.budget.trials} trials: {told}."


def _table(spec: StudySpec, best: Sequence[TrialRow]) -> str:
    names = spec.searched.names[:_PARAMS]
    heads = ["trial", str(spec.objective), *names]
    lines = [heads, ["---"] * len(heads)]
    for row in best:
        number = f"{row.number}{' (baseline)' if row.baseline else ''}"
        lines.append([number, f"{row.value:.4f}", *(_short(row.params.get(name, "")) for name in names)])
    return "\n".join(f"| {' | '.join(map(in_markdown, line))} |" for line in lines)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _asked(study: StudyRow) -> str:
    spec, how = study.spec, wording.measured(study.facts.val_images)
    sampled = ", ".join(f"`{name}`" for name in spec.searched.names) or "nothing"
    swept = (
        "- swept after each training: what was chosen is `final/iou` and `final/conf`, and `final/gain` is what it "
        f"gains over Ultralytics' defaults, {how}"
    )
    return "\n".join(
        [
            f"- data: `{in_code(spec.data)}`",
            f"- sampled: {sampled}",
            *([swept] if spec.is_swept else []),
            f"- {spec.budget.trials} trials, sampler `{spec.search.sampler.name}`, pruner `{spec.search.pruner.name}`",
            "- `value`: what a complete trial came to; `objective`: the same, epoch by epoch, as the pruner saw it; "
            "its last point is the trial's value",
            "- confirmation runs are left out of the prepared view: search for `tags.stage = 'confirm'` to see them, "
            "and for `tags.stage = 'confirmation'` for the verdict",
            "- the run `study` holds the study file and Optuna's plots; rows without `state` COMPLETE have no value",
        ]
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()
