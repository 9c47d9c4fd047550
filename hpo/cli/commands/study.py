"""``hpo status``, ``trials``, ``trial`` and ``delete``: read and remove what is stored."""

from __future__ import annotations

import click

from hpo.api.documents import attempt_json, status_json, trial_json
from hpo.api.finding import stored_study
from hpo.cli.options import json_option, print_json, store_options, study_argument
from hpo.cli.terminal import confirm, say

MOST_ROWS = 500
"""Trials in a table: nobody reads more, and each takes a millisecond to lay out."""
ALL = 1 << 30


@click.command(short_help="Where a study stands.")
@study_argument
@json_option
def status(study: str | None, *, as_json: bool) -> None:
    """Budget, counts by state, the best trial and the workers of STUDY; its confirmation and the verdict."""
    with stored_study(study) as (_, storage, found):
        from hpo.confirmation import record
        from hpo.study.studies import snapshot

        row, stage = snapshot.status(storage, found), record.stage_of(storage, found)
    if as_json:
        print_json(status_json(row, stage))
        return
    from hpo.cli.pages.summary import stage_lines, status_lines

    for line in (*status_lines(row), *stage_lines(stage)):
        say(line)


@click.command(short_help="The trials of a study, side by side.")
@study_argument
@click.option("--sort", type=click.Choice(["number", "value"]), default="number", show_default=True)
@json_option
def trials(study: str | None, sort: str, *, as_json: bool) -> None:
    """A table of all trials: state, value, metrics and what was sampled; then of the confirmation's runs.

    With --json the search's alone; `hpo trials STUDY.confirm --json` gives the confirmation's.
    """
    with stored_study(study) as (_, storage, row):
        from hpo.study.studies import lifecycle, snapshot

        most = ALL if as_json or row.plan else MOST_ROWS
        rows, total = snapshot.some_trials(storage, row, most, by_value=sort == "value")
        stage = lifecycle.confirmation(storage, row.name)
        runs = [] if stage is None else snapshot.trials(storage, stage)
    if sort == "value":
        rows.sort(key=lambda trial: (trial.value is None, -(trial.value or 0.0), trial.number))
    if as_json:
        print_json([trial_json(trial) for trial in rows])
        return
    from hpo.cli.pages.summary import runs_table, trials_table

    if row.plan:
        runs_table(row, rows)
    else:
        trials_table(row.spec, rows)
        if total > len(rows):
            which = "best" if sort == "value" else "newest"
            say(f"the {MOST_ROWS} {which} of {total} trials, and the best; all of them: hpo trials {row.name} --json")
    if stage is not None:
        say("\nconfirmation")
        runs_table(stage, runs)


@click.command(short_help="One trial in full.")
@store_options
@click.argument("names", nargs=-1, required=True, metavar="[STUDY] N")
@json_option
def trial(names: tuple[str, ...], *, as_json: bool) -> None:
    """All that is stored of trial N: its settings, its attempts, its curve."""
    if len(names) > 2 or not names[-1].isdecimal() or len(names[-1]) > 9:
        where = "with the study before it where there are several"
        raise click.UsageError(f"give a trial's number, {where}: hpo trial digits 3")
    with stored_study(names[0] if len(names) == 2 else None) as (_, storage, row):
        from hpo.study.studies import snapshot

        found = snapshot.trial(storage, row, int(names[-1]))
        curve = snapshot.epochs(storage, row, found.number)
    if as_json:
        keys = ("epoch", "attempt", "seconds", "objective")
        points = [{key: getattr(epoch, key) for key in keys} | epoch.metrics for epoch in curve]
        attempts = [attempt_json(attempt) for attempt in found.attempts]
        print_json(trial_json(found) | {"train": found.train, "attempts": attempts, "curve": points})
        return
    from hpo.cli.pages.summary import trial_page

    trial_page(row.spec, found, curve)


@click.command(short_help="Remove a study from the database.")
@study_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(study: str | None, *, yes: bool) -> None:
    """Remove STUDY, its trials and its confirmation from the database, and their weights. Their runs in MLflow stay."""
    from hpo.api import changing

    with stored_study(study) as (settings, storage, row):
        from hpo.study.studies import snapshot

        count = len(snapshot.trials(storage, row))
        folder = settings.study_folder(row.name)
        if not yes:
            confirm(f"delete study {row.name!r} with {count} trials, and {folder}?")
        left = changing.delete(settings, storage, row)
    if left is not None:
        say(f"uploaded checkpoints stay where they are: {left}", err=True)
    say(f"deleted {row.name!r}: {count} trials. Its MLflow runs are still there; see: hpo ui")
