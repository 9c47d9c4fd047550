"""``hpo status``, ``trials``, ``trial`` and ``delete``: read and remove what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import find_study, json_option, print_json, store_options, stored, study_argument
from hpo.errors import HpoError

if TYPE_CHECKING:
    from hpo.confirmation.record import Stage
    from hpo.settings import Settings
    from hpo.study.database.storage import Storage
    from hpo.study.records import AttemptRow, StatusRow, StudyRow, TrialRow


@click.command(short_help="Where a study stands.")
@store_options
@study_argument
@json_option
def status(study: str | None, *, as_json: bool) -> None:
    """Budget, counts by state, the best trial and the workers of STUDY; its confirmation and the verdict."""
    with stored() as (_, storage):
        from hpo.confirmation import record
        from hpo.study.studies import snapshot

        found = find_study(storage, study)
        row, stage = snapshot.status(storage, found), record.stage_of(storage, found)
    if as_json:
        print_json(status_json(row, stage))
        return
    from hpo.cli.pages.summary import stage_lines, status_lines

    for line in (*status_lines(row), *stage_lines(stage)):
        click.echo(line)


@click.command(short_help="The trials of a study, side by side.")
@store_options
@study_argument
@click.option("--sort", type=click.Choice(["number", "value"]), default="number", show_default=True)
@json_option
def trials(study: str | None, sort: str, *, as_json: bool) -> None:
    """A table of all trials: state, value, metrics and what was sampled; then of the confirmation's runs.

    With --json the search's alone; `hpo trials STUDY.confirm --json` gives the confirmation's.
    """
    with stored() as (_, storage):
        from hpo.study.studies import lifecycle, snapshot

        row = find_study(storage, study)
        rows = snapshot.trials(storage, row)
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
    if stage is not None:
        click.echo("\nconfirmation")
        runs_table(stage, runs)


@click.command(short_help="One trial in full.")
@store_options
@click.argument("names", nargs=-1, required=True, metavar="[STUDY] N")
@json_option
def trial(names: tuple[str, ...], *, as_json: bool) -> None:
    """All that is stored of trial N: its settings, its attempts, its curve."""
    if len(names) > 2 or not names[-1].isdecimal():
        raise click.UsageError(
            "give a trial's number, with the study before it where there are several: hpo trial digits 3"
        )
    with stored() as (_, storage):
        from hpo.study.studies import snapshot

        row = find_study(storage, names[0] if len(names) == 2 else None)
        found = snapshot.trial(storage, row, int(names[-1]))
        curve = snapshot.epochs(storage, row, found.number)
    if as_json:
        curve_json = [
            {"epoch": e.epoch, "attempt": e.attempt, "seconds": e.seconds, "objective": e.objective, **e.metrics}
            for e in curve
        ]
        print_json(
            trial_json(found)
            | {"train": found.train, "attempts": [attempt_json(a) for a in found.attempts], "curve": curve_json}
        )
        return
    from hpo.cli.pages.summary import trial_page

    trial_page(row.spec, found, curve)


@click.command(short_help="Remove a study from the database.")
@store_options
@study_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(study: str | None, *, yes: bool) -> None:
    """Remove STUDY, its trials and its confirmation from the database, and their weights. Their runs in MLflow stay."""
    import shutil

    with stored() as (settings, storage):
        from hpo.study.studies import lifecycle, snapshot

        row = find_study(storage, study)
        stage = lifecycle.confirmation(storage, row.name)
        count = len(snapshot.trials(storage, row))
        folder = settings.study_folder(row.name)
        if not yes:
            click.confirm(f"delete study {row.name!r} with {count} trials, and {folder}?", abort=True)
        for each in (row, *([] if stage is None else [stage])):
            snapshot.refuse_if_busy(storage, each)
        left = _delete_uploads(settings, storage, row)
        lifecycle.delete(storage, row.name)
        for each in (row, *([] if stage is None else [stage])):
            shutil.rmtree(settings.study_folder(each.name), ignore_errors=True)
    if left is not None:
        click.echo(f"uploaded checkpoints stay where they are: {left}", err=True)
    click.echo(f"deleted {row.name!r}: {count} trials. Its MLflow runs are still there; see: hpo ui")


def _delete_uploads(settings: Settings, storage: Storage, study: StudyRow) -> HpoError | None:
    """Checkpoints of trials that have not ended, in the artifact store; why one stays. (A stage uploads none.)"""
    from hpo.study.session import uploads
    from hpo.wiring.projecting import checkpoint_store

    store = checkpoint_store(settings, study)
    if store is None:
        return None
    try:
        for upload in uploads.named(storage, study):
            store.delete(upload.location)
    except HpoError as error:
        return error
    return None


METRICS = ("map50", "map50_95", "precision", "recall", "f1")


def trial_json(row: TrialRow) -> dict[str, Any]:
    """The documented JSON form of a trial."""
    return {
        "number": row.number,
        "state": row.state.value,
        "value": row.value,
        "params": row.params,
        "metrics": {name: row.metrics.get(name) for name in METRICS},
        "reason": row.reason,
        "epochs": row.epochs,
        "worker": row.worker,
        "started": row.started,
        "finished": row.finished,
        "duration_s": row.duration_s,
        "mlflow_run_id": row.mlflow_run_id,
        "operating_point": None if row.operating_point is None else row.operating_point.to_dict(),
        "sweep": None if row.sweep is None else row.sweep.to_dict(),
    }


def attempt_json(row: AttemptRow) -> dict[str, Any]:
    """The documented JSON form of an attempt, which tells its peak of memory beside what was trained."""
    known = dict(vars(row))
    peak = known.pop("peak_mib")
    return known if peak is None else known | {"effective": row.effective | {"peak_mib": peak}}


def status_json(row: StatusRow, stage: Stage | None = None) -> dict[str, Any]:
    """The documented JSON form of a study's status."""
    return {
        "study": row.name,
        "state": row.state,
        "budget": vars(row.budget),
        "counts": {state.value.lower(): count for state, count in row.counts.items()},
        "best": None if row.best is None else trial_json(row.best),
        "workers": [vars(worker) | {"running": [vars(trial) for trial in worker.running]} for worker in row.workers],
        "control": row.control,
        "control_reason": row.control_reason,
        "device_hours": row.device_hours,
        "wasted_hours": {reason.value: hours for reason, hours in row.wasted_hours.items()},
        "left_s": row.left_s,
        "confirm": None if stage is None else stage.to_dict(),
    }
