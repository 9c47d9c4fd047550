"""``hpo confirm``: is the winner better than the defaults, or was it lucky?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.cli.options import complete_study, json_option, name_in_file, print_json, store_options
from hpo.errors import UsageError
from hpo.settings import load_settings

if TYPE_CHECKING:
    from hpo.studyfile.schema import Confirm


@click.command(short_help="Prove the winner: train the best trials and the baseline again, with fresh seeds.")
@click.argument("study", metavar="STUDY", shell_complete=complete_study)
@click.option("--top", type=click.IntRange(min=1), help="So many of the best trials (the study file's, or 3).")
@click.option("--seeds", type=click.IntRange(min=2), help="Trainings of each (the study file's, or 3).")
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The study's data.yaml on this machine, where it lies elsewhere. Its images and labels must be the same.",
)
@click.option("--gpus", default="all", show_default=True, help="all (the CPU where there is none), cpu, or 0,1,...")
@store_options
@json_option
def confirm(study: str, top: int | None, seeds: int | None, data: Path | None, gpus: str, *, as_json: bool) -> None:
    """Train the best trials of STUDY and its baseline again and say whether the winner beats the defaults.

    Run it again to go on after a stop; once it is finished it trains nothing more and prints the stored verdict. Other
    machines help with `hpo worker STUDY`.
    """
    from hpo import wiring
    from hpo.cli.commands import stages
    from hpo.confirmation.words import lines
    from hpo.evidence.document import Finding
    from hpo.orchestration.stop import StopRequest, on_signals

    settings = load_settings()
    study = name_in_file(Path(study)) if study.endswith((".yaml", ".yml")) else study
    stop = StopRequest()
    with wiring.joined(study, data, settings, wiring.Offer(gpus, 1)) as site:
        status = site.status()
        if status.finished is None:
            done = f"{status.budget.counted} of {status.budget.trials} trials"
            raise UsageError(
                f"study {study!r} is not finished ({done}): finish it with `hpo run`, or end it there: "
                f"hpo update {study} budget.trials={max(1, status.budget.issued)}"
            )
        stage = site.confirmation(_wanted(site.study.spec.confirm, top, seeds))
        with on_signals(stop):
            stages.confirm(stage, stop, quiet=as_json)
        told = None if stop.soon else stages.verdict(stage)
    if told is None:
        click.echo(f"stopped; go on: hpo confirm {study}", err=True)
        raise click.exceptions.Exit(stop.exit_code or 1)
    if as_json:
        print_json(told.to_dict())
        return
    *before, sentence = lines(told)
    for line in before:
        click.echo(line)
    what = "the winner" if told.claim is Finding.BEATS else "the defaults"
    click.echo(f"next     hand {what} over: hpo promote {study} --output final")
    click.echo(sentence)


def _wanted(named: Confirm | None, top: int | None, seeds: int | None) -> Confirm | None:
    """What the command line asks for, completed from the study file; None where it asks for nothing."""
    from hpo.studyfile.schema import Confirm

    if top is None and seeds is None:
        return None
    usual = named or Confirm()
    return Confirm(usual.top if top is None else top, usual.seeds if seeds is None else seeds)
