"""The end of a search whose objective tells no trial from another: further trials would be wasted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import Connection, exists, insert, select, update

from hpo.study.database import tables
from hpo.study.session.context import SessionContext
from hpo.study.studies.progress import Control, progress, spent
from hpo.studyfile.planning.sweep import conf_bounds
from hpo.studyfile.schema import StudySpec
from hpo.trial.operating_point import FLOOR
from hpo.trial.vocabulary import Reason

FIRST = 3
"""Number of complete trials after which a search is judged, once."""
_BLIND = "blind"
"""Key of the note that a search was ended so; after `hpo resume` it is not ended again."""
_LEARNED = 0.01
"""A mAP50 above this value shows that something was learned."""


def judge(context: SessionContext, connection: Connection) -> None:
    """End the search with its reason where the first complete trials have one and the same value.

    It is called in the transaction that has recorded a complete trial. A person's own control stays.
    """
    study, changes, studies = context.study, tables.changes, tables.studies
    if study.plan:
        return
    noted = select(exists().where(changes.c.study_id == study.id, changes.c.key == _BLIND))
    rows = _first(connection, study.id)
    if len(rows) < FIRST or connection.execute(noted).scalar_one():
        return
    if spent(study.spec, progress(connection, study.id, hours=False)) is not None:
        return  # no further trial would be proposed
    why = reason(study.spec, [value for value, _ in rows], [map50 for _, map50 in rows])
    if not why:
        return
    told = f"{why}; to go on all the same: hpo resume {study.name}"
    running = update(studies).where(studies.c.id == study.id, studies.c.control == Control.RUN.value)
    connection.execute(running.values(control=Control.STOP.value, control_reason=told))
    row = {"study_id": study.id, "at": tables.Now(), "by": context.worker, "key": _BLIND, "before": None, "after": told}
    connection.execute(insert(changes).values(row))


def reason(spec: StudySpec, values: Sequence[float], map50s: Sequence[float]) -> str:
    """Return why these values of the first complete trials tell nothing; empty where they differ.

    ``map50s``: mAP50 of the same trials; fewer where it was not measured.
    """
    first, most = values[0], max(map50s, default=math.nan)
    if any(value != first for value in values):
        return ""
    same = f"{spec.objective} was {first:.4f} in each of the first {len(values)} complete trials"
    if first != 0:
        return f"{same}: nothing that is sampled changes it; widen the space, or name another objective"
    if not most > _LEARNED:
        learned = "" if math.isnan(most) else f" (mAP50 at most {most:.4f})"
        return f"{same}: nothing was learned{learned}; train for more epochs, or start from weights"
    return f"{same}, while mAP50 reached {most:.2f}: {_hidden(spec)}"


def _hidden(spec: StudySpec) -> str:
    """Return what may hide from the objective what was learned."""
    constraints = spec.objective.constraints
    if constraints:
        conditions = " and ".join(map(str, constraints))
        return f"no setting meets `{conditions}`; loosen it"
    bounds = conf_bounds(spec)
    if bounds is not None and bounds[0] > FLOOR:
        return f"every score lies below the lower bound {bounds[0]:g} of conf; lower `space.conf`, or leave it out"
    return "no detection is right at the setting that it is measured at; train for more epochs"


def _first(connection: Connection, study_id: int) -> list[tuple[float, float]]:
    """Return value and mAP50 of the first complete trials; mAP50 is NaN where it was not measured."""
    trials = tables.trials
    complete = (trials.c.study_id == study_id, trials.c.reason == Reason.COMPLETE.value, trials.c.counts)
    ordered = select(trials.c.value, trials.c.metrics).where(*complete).order_by(trials.c.recorded_at, trials.c.number)
    rows = connection.execute(ordered.limit(FIRST))
    return [(row.value, float((row.metrics or {}).get("map50", math.nan))) for row in rows]
