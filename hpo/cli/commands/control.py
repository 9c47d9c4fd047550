"""``hpo pause``, ``resume``, ``stop``, ``cancel`` and ``update``: control of a study from any machine."""

from __future__ import annotations

import click

from hpo.api.changing import Order, set_control
from hpo.api.finding import stored_study, who
from hpo.cli.options import store_options, study_argument
from hpo.cli.terminal import say
from hpo.errors import UsageError


@click.command(short_help="No new trials for now; workers wait.")
@study_argument
def pause(study: str | None) -> None:
    """Start no new trial of STUDY until `hpo resume`. Running ones go on to their end; workers wait."""
    _set(study, "pause", "is paused: running trials go on, no new one starts")


@click.command(short_help="Let a paused, stopped or cancelled study go on.")
@study_argument
def resume(study: str | None) -> None:
    """Let STUDY go on. Workers that had left have to be started again."""
    _set(study, "run", "goes on; workers that left have to be started again")


@click.command(short_help="Let running trials finish, then send the workers away.")
@study_argument
def stop(study: str | None) -> None:
    """Start no new trial of STUDY; its workers leave when what runs has ended."""
    _set(study, "stop", "is stopped: workers leave when what runs has ended")


@click.command(short_help="End running trials now, resumable, and send the workers away.")
@study_argument
def cancel(study: str | None) -> None:
    """End what runs of STUDY at its next epoch, within `recovery.grace_s`; nothing of it is lost.

    The trials wait, with their checkpoints, for `hpo resume` and a worker.
    """
    _set(study, "cancel", "is cancelled: running trials are given back at their next epoch")


@click.command(short_help="Change the budget of a stored study.")
@click.argument("study", metavar="STUDY")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE...")
@store_options
def update(study: str, changes: tuple[str, ...]) -> None:
    """Change budget.trials or budget.hours of STUDY, while it runs or after its end. Nothing else can change.

    hpo update digits budget.trials=200 budget.hours=48
    """
    trials, hours = None, None
    for change in changes:
        key, _, value = change.partition("=")
        match key:
            case "budget.trials":
                trials = int(_number(key, value, whole=True))
            case "budget.hours":
                hours = _number(key, value, whole=False)
            case _:
                raise UsageError(f"{change}: only budget.trials=N and budget.hours=H can be changed of a stored study")
    with stored_study(study) as (_, storage, row):
        from hpo.study.studies import controls

        budget = controls.set_budget(storage, row, who(), trials=trials, hours=hours)
    limit = f", {budget.hours:g} hours" if budget.hours is not None else ""
    say(f"budget of {row.name!r}: {budget.trials} trials{limit}")


def _number(key: str, value: str, *, whole: bool) -> float:
    from hpo.studyfile.keys import keys_of
    from hpo.studyfile.schema import Budget

    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = 0
    most = next(each.key.at_most for each in keys_of(Budget) if key == f"budget.{each.name}") or 0
    if not 0 < number <= most:
        raise UsageError(f"{key}={value}: must be a {'whole ' if whole else ''}number above 0, at most {most}")
    return number


def _set(asked: str | None, wanted: Order, said: str) -> None:
    with stored_study(asked) as (_, storage, row):
        set_control(storage, row, wanted)
    say(f"study {row.name!r} {said}")
