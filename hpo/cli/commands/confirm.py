"""``hpo confirm``: it tests whether the winner is better than the defaults or was lucky."""

from __future__ import annotations

from pathlib import Path

import click

from hpo.cli.options import (
    accept_data_if_asked,
    accept_data_option,
    complete_study,
    json_option,
    print_json,
    store_options,
    versions_allowed,
    worker_options,
)
from hpo.cli.terminal import say
from hpo.settings import load_settings


@click.command(short_help="Prove the winner: train the best trials and the baseline again, with fresh seeds.")
@click.argument("study", metavar="STUDY", shell_complete=complete_study)
@click.option("--top", type=click.IntRange(1, 1000), help="So many of the best trials (the study file's, or 3).")
@click.option("--seeds", type=click.IntRange(2, 1000), help="Trainings of each (the study file's, or 3).")
@worker_options
@accept_data_option
@store_options
@json_option
def confirm(study: str, top: int | None, seeds: int | None, data: Path | None, gpus: str, *, as_json: bool) -> None:
    """Train the best trials of STUDY and its baseline again and say whether the winner beats the defaults.

    Run it again to go on after a stop; once it is finished it trains nothing more and prints the stored verdict. Other
    machines help with `hpo worker STUDY`.
    """
    from hpo.api.confirming import ConfirmPlan
    from hpo.api.confirming import confirm as confirmed
    from hpo.api.finding import name_of
    from hpo.cli.commands.stages import TerminalView
    from hpo.confirmation.words import lines
    from hpo.evidence.document import VerdictClaim
    from hpo.orchestration.stop import StopRequest, on_signals

    settings, stop = load_settings(), StopRequest()
    study = name_of(study)
    accept_data_if_asked(study, data)
    plan = ConfirmPlan(study, top, seeds, data, gpus, versions_allowed())
    told = confirmed(plan, settings, stop, TerminalView(quiet=as_json), on_signals)
    if told is None:
        say(f"stopped; go on: hpo confirm {study}", err=True)
        raise click.exceptions.Exit(stop.exit_code or 1)
    if as_json:
        print_json(told.to_dict())
        return
    *before, sentence = lines(told)
    for line in before:
        say(line)
    what = "the winner" if told.claim is VerdictClaim.BEATS else "the defaults"
    say(f"next     hand {what} over: hpo promote {study} --output final")
    say(sentence)
