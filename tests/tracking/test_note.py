"""The experiment's description: it is kept up to date, and a person's text stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mlflow.tracking import MlflowClient

from hpo.settings import Settings
from hpo.tracking import note
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Postprocess, Reason
from tests.searches import verdict
from tests.tracking.support import Rows, make_epochs, make_rows, make_trial


def test_it_says_what_was_asked_where_it_stands_and_the_best() -> None:
    rows = make_rows([Reason.COMPLETE, Reason.COMPLETE, Reason.PRUNED])
    text = note.text(rows.study, rows.trials(), verdict("beats", sentence="beats the defaults by 3.1 points"))
    best = max((row for row in rows.trials() if row.value is not None), key=lambda row: row.value or 0.0)
    assert f"best {best.value:.4f} (trial {best.number})" in text.splitlines()[0]
    assert "**Verdict:** beats the defaults by 3.1 points" in text
    assert "2 complete, 1 pruned" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[0].startswith("| trial | map50_95 | lr0 |")
    assert table[2].startswith(f"| {best.number}")
    assert len(table) == 4


def test_one_validation_image_is_not_said_to_cross_validate() -> None:
    rows = make_rows([Reason.COMPLETE])
    spec = replace(rows.study.spec, postprocess=Postprocess.SWEPT)
    several = note.text(replace(rows.study, spec=spec), rows.trials(), None)
    assert "cross-validated" in several
    assert "Caution" not in several
    facts = replace(rows.study.facts, dataset={"splits": {"val": {"images": 1}}, "in_train": 1})
    alone = note.text(replace(rows.study, spec=spec, facts=facts), rows.trials(), None)
    assert "cross-validated" not in alone
    assert "**Caution:** val is one image" in alone
    assert "**Caution:** 1 of 1 images of val are in train" in alone


def described(projector: Callable[[Rows], Projector], settings: Settings) -> tuple[Rows, MlflowClient, str]:
    """Return a projected study of one trial, and its experiment."""
    rows = make_rows([Reason.COMPLETE])
    return rows, MlflowClient(settings.tracking_uri), projector(rows).study()


def test_what_a_person_writes_around_it_stays_while_it_is_kept_current(
    projector: Callable[[Rows], Projector], settings: Settings
) -> None:
    rows, client, experiment_id = described(projector, settings)
    first = client.get_experiment(experiment_id).tags[note.NOTE_TAG]
    client.set_experiment_tag(experiment_id, note.NOTE_TAG, f"Ours, for line 3.\n\n{first}\n\nAsk Eva.")
    rows.put(make_trial(1), make_epochs(1, 5))
    projector(rows).study()
    now = client.get_experiment(experiment_id).tags[note.NOTE_TAG]
    assert now.startswith("Ours, for line 3.")
    assert now.endswith("Ask Eva.")
    assert "2 complete" in now
    assert "1 complete" not in now


def test_what_a_person_changes_within_it_is_never_written_over(
    projector: Callable[[Rows], Projector], settings: Settings
) -> None:
    rows, client, experiment_id = described(projector, settings)
    first = client.get_experiment(experiment_id).tags[note.NOTE_TAG]
    for edited in (first.replace("- data:", "- the data of line 3:"), "All mine."):
        client.set_experiment_tag(experiment_id, note.NOTE_TAG, edited)
        rows.put(make_trial(1), make_epochs(1, 5))
        projector(rows).study()
        assert client.get_experiment(experiment_id).tags[note.NOTE_TAG] == edited
    client.set_experiment_tag(experiment_id, note.NOTE_TAG, "")
    projector(rows).study()
    assert "2 complete" in client.get_experiment(experiment_id).tags[note.NOTE_TAG]
