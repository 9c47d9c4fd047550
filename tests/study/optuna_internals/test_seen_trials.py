from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.study.optuna_internals.seen_trials import SeenTrials


def _trial(number: int) -> FrozenTrial:
    made = create_trial(state=TrialState.PRUNED)
    made.number, made._trial_id = number, 1000 + number
    return made


@given(st.lists(st.sets(st.integers(0, 40), max_size=8), max_size=6))
def test_every_trial_is_new_once_wherever_in_the_list_it_appears(batches: list[set[int]]) -> None:
    seen, known = SeenTrials(), set[int]()
    for batch in batches:
        fresh = sorted(batch - known)
        known |= batch
        assert [trial.number for trial in seen.unseen([_trial(number) for number in sorted(known)])] == fresh
