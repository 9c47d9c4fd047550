"""A search whose objective tells no trial from another ends with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.errors import StudyStopped
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session import blind
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, snapshot
from hpo.study.studies.progress import Control
from hpo.studyfile.space import Dimension, FloatRange, Space
from hpo.trial.objective import parse
from hpo.trial.vocabulary import Postprocess
from tests.study.support import SPACE, MakeStudy, begin, ended, study_spec


def trained(storage: Storage, study: StudyRow, values: list[float], map50: float = 0.4) -> int:
    """Train with these values while trials are admitted; return how many were."""
    with WorkerSession(storage, study, "w", None) as session:
        for count, value in enumerate(values):
            proposal = session.admit()
            if proposal is None:
                return count
            begin(session, proposal)
            session.end(proposal.token, replace(ended(value=value), metrics={"map50": map50}))
    return len(values)


def test_three_complete_trials_of_value_0_end_the_search_and_resume_overrides(
    storage: Storage, make_study: MakeStudy
) -> None:
    study = make_study(study_spec(trials=6))
    assert trained(storage, study, [0.0] * 6) == 3
    status = snapshot.status(storage, study)
    assert (status.state, status.control) == ("stopped", "stop")
    assert status.control_reason.startswith("map50_95 was 0.0000 in each of the first 3 complete trials")
    assert status.control_reason.endswith("to go on all the same: hpo resume digits")
    with pytest.raises(StudyStopped, match="in each of the first 3 complete trials"):
        controls.refuse_if_stopped(storage, study)
    controls.set_control(storage, study, Control.RUN, "someone")
    assert trained(storage, study, [0.0] * 6) == 3  # to the end of its budget


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.1, 0.1, 0.1], [0.3, 0.3, 0.31, 0.3, 0.3]])
def test_a_search_whose_first_values_differ_goes_on(
    storage: Storage, make_study: MakeStudy, values: list[float]
) -> None:
    assert trained(storage, make_study(study_spec(trials=5)), values) == 5


def test_the_reason_names_the_bound_or_the_cause() -> None:
    bounded = Space((*SPACE.dimensions, Dimension("conf", FloatRange(0.1, 0.5))))
    swept = study_spec(space=bounded, objective=parse("f1"), postprocess=Postprocess.SWEPT)
    zero = [0.0] * 3
    assert "lower bound 0.1 of conf; lower `space.conf`" in blind.reason(swept, zero, [0.3, 0.41, 0.2])
    assert "nothing was learned (mAP50 at most 0.0020); train for more epochs" in blind.reason(swept, zero, [0.002])
    condition = replace(swept, objective=parse("recall at precision >= 0.9"), space=SPACE)
    assert "no setting meets `precision >= 0.9`" in blind.reason(condition, zero, [0.3])
    assert "nothing that is sampled changes it" in blind.reason(study_spec(), [0.5] * 3, [0.5])
    assert blind.reason(study_spec(), [0.5, 0.5, 0.4], []) == ""
