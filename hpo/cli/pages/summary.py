"""Tables and closing words for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpo.api.wording import duration
from hpo.api.wording import short as written
from hpo.cli.console import console
from hpo.trial import wording
from hpo.trial.vocabulary import Reason

if TYPE_CHECKING:
    from hpo.api.searching import Outcome
    from hpo.confirmation.record import Stage
    from hpo.study.records import EpochRow, StudyRow, TrialRow
    from hpo.study.status import StatusRow, WorkerRow
    from hpo.studyfile.schema import StudySpec

MAX_PARAMS = 8
"""Maximum number of columns of sampled values; the rest is in ``hpo trial N`` and in MLflow."""


def short(value: object) -> str:
    return "-" if value is None else written(value)


def _columns(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, justify="left" if name in ("repeats", "state") else "right", no_wrap=True)
    return table


def trials_table(spec: StudySpec, rows: list[TrialRow]) -> None:
    """Print a line for each trial; the best one is marked."""
    from hpo.study.studies import snapshot

    others = [name for name in ("map50", "map50_95") if name != str(spec.objective)]
    table = _columns("trial", "state", str(spec.objective), *others, "epochs", "time")
    names = spec.searched.names[:MAX_PARAMS]
    found = ("iou", "conf", "gain") if spec.is_swept else ()
    for name in (*names, *found):
        table.add_column(name, justify="right")
    best = snapshot.best(rows)
    for row in rows:
        mark = "*" if row is best else ("b" if row.baseline else "")
        scores = (short(row.value), *(short(row.metrics.get(name)) for name in others))
        setting = (*(short(row.params.get(name)) for name in names), *(_found(row) if found else ()))
        cells = (f"{mark}{row.number}", _state(row), *scores, str(row.epochs), duration(row.duration_s), *setting)
        table.add_row(*cells, style="bold green" if row is best else None)
    out = console()
    out.print(table)
    hidden = spec.searched.names[MAX_PARAMS:]
    gain = ". gain: of iou and conf over Ultralytics' defaults, ? not proven" if found else ""
    rest = f". Not shown: {', '.join(hidden)}" if hidden else ""
    out.print(f"* best, b baseline ({spec.baseline_name}). One in full: hpo trial N{gain}{rest}", style="dim")


def runs_table(stage: StudyRow, rows: list[TrialRow]) -> None:
    """Print a line for each run of a confirmation: the trial of the search that it repeats, and its seed."""
    table = _columns("run", "repeats", "seed", "state", str(stage.spec.objective), "epochs", "time")
    for row in rows:
        planned = stage.plan[row.ordinal]
        of, seed = "baseline" if planned.baseline else f"trial {planned.of}", str(dict(planned.train)["seed"])
        cells = (str(row.number), of, seed, _state(row), short(row.value), str(row.epochs), duration(row.duration_s))
        table.add_row(*cells)
    console().print(table)


def _found(row: TrialRow) -> tuple[str, str, str]:
    """Return the setting that a sweep chose, and its gain."""
    point, sweep = row.operating_point, row.sweep
    gain = "-" if sweep is None else f"{sweep.gain.decisive.value:+.4f}{'' if sweep.recommended == 'best' else '?'}"
    return short(point and point.iou), short(point and point.conf), gain


def _state(row: TrialRow) -> str:
    as_usual = row.reason in (None, Reason.COMPLETE, Reason.PRUNED)
    return row.state.value if as_usual else f"{row.state.value} {row.reason}"


def trial_page(spec: StudySpec, row: TrialRow, curve: list[EpochRow]) -> None:
    """Print everything about one trial."""
    from hpo.study.studies.at_bounds import at_bounds

    out = console()
    title = f"trial {row.number} of {spec.name}" + (" (baseline)" if row.baseline else "")
    out.print(Text.assemble((title, "bold"), f"  {row.state.value} {row.reason or ''}  {row.detail}"))
    _pairs(out, "sampled", row.params)
    if row.operating_point is not None:
        out.print(Text.assemble(("operating point", "bold"), f"  {wording.setting(row.operating_point)}"))
    if row.sweep is not None:
        out.print(Text.assemble(("gain", "bold"), f"  {wording.gain(row.sweep)}"))
    if row.value is not None:
        how = "" if row.sweep is None else f", {wording.measured(row.sweep.images)}"
        out.print(Text.assemble(("value", "bold"), f"  {spec.objective} {short(row.value)}{how}"))
    for line in at_bounds(spec, row):
        out.print(Text.assemble(("bound", "bold"), f"  {line}"))
    _pairs(out, "metrics", row.metrics)
    _pairs(out, "trained with", row.train)
    for attempt in row.attempts:
        resumed = f", from epoch {attempt.resumed_from + 1}" if attempt.resumed_from else ""
        ended = f"{attempt.reason or 'running'} {attempt.detail}".strip()
        where = f"attempt {attempt.attempt} on {attempt.worker}{resumed}"
        out.print(f"{where}: {ended}\n  {attempt.folder}")
    table = Table("epoch", "objective", "mAP50", "mAP50-95", "seconds", box=None, pad_edge=False, header_style="bold")
    for epoch in curve:
        values = (epoch.objective, epoch.metrics.get("metrics/mAP50B"), epoch.metrics.get("metrics/mAP50-95B"))
        table.add_row(str(epoch.epoch), *(short(value) for value in values), f"{epoch.seconds:.1f}")
    if curve:
        out.print(table)


def _pairs(out: Console, title: str, values: Mapping[str, object]) -> None:
    if values:
        listed = "  ".join(f"{name}={short(value)}" for name, value in values.items())
        out.print(Text.assemble((title, "bold"), f"  {listed}"))


def status_lines(row: StatusRow) -> list[str]:
    """Return a few plain lines."""
    counts = ", ".join(f"{count} {state.value.lower()}" for state, count in row.counts.items() if count)
    hours = f", {row.budget.hours_used:.2f} of {row.budget.hours:g} h" if row.budget.hours is not None else ""
    lines = [
        f"study    {row.name}: {row.state}",
        f"budget   {row.budget.counted} of {row.budget.trials} trials{hours}",
        f"trials   {counts or 'none yet'}",
    ]
    if row.best is not None:
        params = "  ".join(f"{name}={short(value)}" for name, value in row.best.params.items())
        lines.append(f"best     {short(row.best.value)} (trial {row.best.number})  {params}")
        if row.best.sweep is not None:
            lines.append(f"         at {wording.setting(row.best.sweep.best.point)}: {wording.gain(row.best.sweep)}")
    return lines + _time_lines(row) + [line for worker in row.workers for line in _worker_lines(worker)]


def stage_lines(stage: Stage | None) -> list[str]:
    """Return the progress of the confirmation, and its verdict."""
    if stage is None:
        return []
    budget, told = stage.status.budget, stage.verdict
    lines = [f"confirm  {stage.status.state}: {budget.counted} of {budget.trials} runs"]
    lines += [line for worker in stage.status.workers for line in _worker_lines(worker)]
    return lines if told is None else [*lines, f"verdict  trial {told.winner} {told.sentence}"]


def _time_lines(row: StatusRow) -> list[str]:
    lines = [f"why      {row.control_reason}"] if row.control_reason else []
    if row.device_hours:
        wasted = ", ".join(f"{hours:.2f} h {reason}" for reason, hours in row.wasted_hours.items() if hours)
        left = f"; about {duration(row.left_s)} left" if row.left_s else ""
        lines.append(f"time     {row.device_hours:.2f} h in trials, wasted: {wasted or 'none'}{left}")
    return lines


def _worker_lines(worker: WorkerRow) -> list[str]:
    """Return lines for a node and each of its slots: its work, and since when."""
    failure = f" takes no more trials: {worker.failure}" if worker.failure else ""
    since = f"since {worker.started_at:%Y-%m-%d %H:%M} UTC"
    lines = [f"worker   {worker.worker}, {len(worker.slots)} slots, {since}{failure}"]
    busy = {trial.slot: trial for trial in worker.running}
    for slot, device in enumerate(worker.slots):
        trial = busy.get(slot)
        does = "idle" if trial is None else f"trial {trial.number} since {trial.since:%H:%M:%S}"
        lines.append(f"  {slot} on {'GPU ' if device.isdecimal() else ''}{device}: {does}")
    return lines


def opening_line(study: StudyRow, counted: int) -> str:
    """Return a line about what is going to run."""
    spec = study.spec
    splits = {name: split for name, split in study.facts.dataset["splits"].items() if name in ("train", "val")}
    images = ", ".join(
        f"{split['images']} {name} images" + (f" ({split['background']} background)" if split["background"] else "")
        for name, split in splits.items()
    )
    budget = f"{spec.budget.trials} trials of {spec.epochs} epochs" + (f", {counted} done" if counted else "")
    model = Path(spec.model).name
    return f"{spec.name}: {spec.objective} of {model} on {images}; {budget}"


def print_summary(done: Outcome, home: Path, again: str | None) -> None:
    """Print the end of a run: its result and the next commands; ``again`` is the command that resumes after a stop."""
    out, status, stage = console(), done.status, done.confirmation
    out.print()
    for line in (*status_lines(status), *stage_lines(stage)):
        out.print(line)
    for line in done.at_bounds:
        out.print(f"bound    {line}", style="yellow")
    if done.unsynced:
        out.print(f"MLflow has not taken {done.unsynced} runs yet; bring them: hpo sync {status.name}", style="yellow")
    steps = [f"go on:    {again}"] if again is not None else []
    if status.best is not None:
        steps += [
            f"compare:  hpo ui {status.name}        or: hpo trials {status.name}",
            f"take it:  hpo best {status.name} --save winner",
        ]
        if stage is None:
            steps.append(f"prove it: hpo confirm {status.name}")
        elif stage.verdict is not None:
            steps.append(f"hand it over: hpo promote {status.name} --output final")
    out.print("\n".join(["", "next", *(f"  {step}" for step in steps)]) if steps else "")
    out.print(f"files: {home}", style="dim")
