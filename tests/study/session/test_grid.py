from __future__ import annotations

import dataclasses
from typing import Any

from hpo.study.database.storage import Storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.status import Finish
from hpo.studyfile.space import Dimension, FloatRange, IntRange, Space
from hpo.trial.vocabulary import Reason
from tests.study.support import INSIDE, MakeStudy, begin, ended, params_of, run, study_spec

SPACE = Space(
    (Dimension("lr0", FloatRange(0.1, 0.3, step=0.1)), Dimension("batch", IntRange(4, 16, step=8))),
)
SIX = [{"lr0": lr0, "batch": batch} for lr0 in (0.1, 0.2, 0.3) for batch in (4, 12)]


def _sorted(points: list[Any]) -> list[Any]:
    return sorted(points, key=lambda point: list(point.values()))


def test_a_grid_ends_when_every_point_was_tried_once(storage: Storage, make_study: MakeStudy) -> None:
    enqueue = ((("lr0", 0.2), ("batch", 4)),)
    spec = study_spec(sampler="grid", space=SPACE, trials=50, baseline=True, enqueue=enqueue)
    inside = dataclasses.replace(INSIDE, params={"lr0": 0.1, "batch": 4})
    with WorkerSession(storage, make_study(spec), "w", inside) as session:
        assert session.finished() is None
        proposals = run(session)
        assert session.finished() is Finish.GRID
        assert str(session.finished()) == "grid exhausted"
    assert proposals[0].baseline
    assert proposals[1].params == {"lr0": 0.2, "batch": 4}
    assert _sorted(params_of(proposals[1:])) == SIX


def test_a_retry_costs_no_point(storage: Storage, make_study: MakeStudy) -> None:
    with WorkerSession(storage, make_study(study_spec(sampler="grid", space=SPACE, trials=50)), "w", None) as session:
        dead = session.admit()
        assert dead is not None
        begin(session, dead)
        session.end(dead.token, ended(Reason.KILLED, epochs=0))
        assert _sorted(params_of(run(session))) == SIX
