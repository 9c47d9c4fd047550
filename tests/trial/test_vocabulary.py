from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.trial.vocabulary import Reaction, Reason, RunStatus, TrialState, reaction

DEATHS = (Reason.KILLED, Reason.HUNG, Reason.CRASH, Reason.HOST_OOM, Reason.DISK)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.COMPLETE, Reaction(TrialState.COMPLETE, RunStatus.FINISHED, counts=True)),
        (Reason.PRUNED, Reaction(TrialState.PRUNED, RunStatus.KILLED, counts=True)),
        (Reason.DIVERGED, Reaction(TrialState.PRUNED, RunStatus.FAILED, counts=True, infeasible=True)),
        (Reason.OOM, Reaction(TrialState.PRUNED, RunStatus.FAILED, counts=True, infeasible=True)),
        (Reason.DATA, Reaction(TrialState.FAIL, RunStatus.FAILED, counts=True)),
        (Reason.GIVEN_BACK, Reaction(TrialState.WAITING, RunStatus.RUNNING)),
    ],
)
@pytest.mark.parametrize("retries_left", [0, 1])
def test_a_reason_has_one_meaning_whatever_retries_are_left(
    reason: Reason, expected: Reaction, retries_left: int
) -> None:
    assert reaction(reason, retries_left=retries_left) == expected


@pytest.mark.parametrize("reason", DEATHS)
def test_a_death_is_tried_again_while_retries_are_left_and_counts_after(reason: Reason) -> None:
    assert reaction(reason, retries_left=1) == Reaction(TrialState.FAIL, RunStatus.FAILED, retry=True)
    assert reaction(reason, retries_left=0) == Reaction(TrialState.FAIL, RunStatus.FAILED, counts=True)


@given(st.sampled_from(Reason), st.integers(0, 5))
def test_an_ordinal_is_counted_once_tried_again_or_waits(reason: Reason, retries_left: int) -> None:
    """This makes the budget exact: no trial counts and also continues, and none is dropped without being counted."""
    follows = reaction(reason, retries_left=retries_left)
    assert [follows.counts, follows.retry, follows.state is TrialState.WAITING].count(True) == 1
