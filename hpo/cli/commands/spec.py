"""``hpo validate`` and ``hpo schema``."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path

import click

from hpo import files
from hpo.cli.options import data_of_file_option, decoding, file_arguments, json_option, print_json, with_data
from hpo.cli.terminal import say
from hpo.settings import load_settings
from hpo.trial import wording


@click.command(short_help="Check a study file and show what it asks for.")
@file_arguments
@data_of_file_option
@json_option
def validate(file: Path, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Check FILE with its dataset, and show what would be searched, trained and stopped. Nothing is stored.

    KEY=VALUE overrides a key of the file, as for `hpo run`. All problems come in one list, with exit code 2.
    """
    from hpo.dataset import findings
    from hpo.studyfile.checks.model import without_effect
    from hpo.studyfile.planning import baseline, plan, rungs
    from hpo.studyfile.planning.steps import steps
    from hpo.studyfile.planning.sweep import sweep_plan
    from hpo.studyfile.reading import models
    from hpo.wiring.loading import load

    overrides, settings = with_data(overrides), load_settings()
    asked = load(file, overrides, settings)
    with decoding(quiet=as_json) as show:
        checked = findings.check(Path(asked.spec.data), settings.cache, show)
    dataset = checked.summary
    loaded = asked.resolved(dataset)
    spec = loaded.spec
    model = models.facts(spec.model)
    loaded.check_facts(dataset, model)
    images, most = dataset.splits["train"].images, dataset.splits["val"].most
    first = plan.baseline(asked.spec, nc=dataset.nc, train_images=images, most_labels=most) if spec.baseline else None
    taken = baseline.taken(asked.spec)
    pruning = rungs.plan(spec)
    counted = steps(spec, first, images)
    cautions = wording.cautions(dataset.splits["val"].images, dataset.in_train)
    if as_json:
        from hpo.studyfile import serialize

        facts = {
            "spec": json.loads(serialize.to_json(spec)),
            "sha256": serialize.digest(spec),
            "dataset": asdict(dataset),
            "pruning": {"first": pruning.first, "rungs": pruning.rungs, "silent": sorted(pruning.silent)},
            "baseline": None if first is None else {**asdict(first), **asdict(taken)},
            "sweep": sweep_plan(spec, most).to_dict() if spec.is_swept else None,
            "steps": {**asdict(counted), "cautions": counted.cautions},
            "cautions": cautions,
            "findings": [asdict(finding) for finding in checked.findings],
        }
        print_json(facts)
        return
    from hpo.cli.pages.spec_page import Trainings, print_study

    print_study(spec, dataset, pruning, Trainings(first, taken, counted))
    for line in without_effect(spec, model):
        say(f"\n{line}")
    listed = [*findings.left_out(dataset.left_out), *findings.summed_up(checked.findings)]
    if listed:
        say("\n" + "\n".join([*listed, f"file by file: hpo data check {shlex.quote(spec.data)}"]))
    for caution in cautions:
        say(f"\n{caution} ({spec.data})")
    for caution in counted.cautions:
        say(f"\n{caution}")
    weights = settings.home / "weights" / spec.model
    if spec.model.endswith(".pt") and not Path(spec.model).is_absolute() and not files.is_file(weights):
        say(f"\n{spec.model} is not on this machine: it will be downloaded by `hpo run`, to {weights}")
    say(f"\nnext: hpo run {shlex.join([str(file), *overrides])}")


@click.command(short_help="Print the JSON Schema of study files, for editors.")
def schema() -> None:
    """Print the JSON Schema of study files.

    \b
    hpo schema > study.schema.json
    Then begin a study file with:  # yaml-language-server: $schema=study.schema.json
    """
    from hpo.studyfile.json_schema import json_schema

    print_json(json_schema())
