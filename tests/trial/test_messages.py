from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hpo.trial.messages import Checkpointed, Ended, EpochReport, Message, Progress, Started, decode, encode
from hpo.trial.request import OperatingPoint, TrialRequest
from hpo.trial.vocabulary import Metric, Reason

TEXT = st.text(max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
EPOCH = st.integers(0, 10_000)
NUMBERS = st.dictionaries(TEXT, NUMBER, max_size=4)
SCALARS = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | NUMBER | TEXT, max_size=4)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Started, SCALARS),
    st.builds(Progress, TEXT, EPOCH, NUMBER),
    st.builds(EpochReport, EPOCH, NUMBER, NUMBERS, NUMBER, NUMBER),
    st.builds(Checkpointed, EPOCH),
    st.builds(Ended, st.sampled_from(Reason), TEXT, EPOCH, st.none() | NUMBER, NUMBERS, st.none() | EPOCH, NUMBER),
)
POINTS = st.none() | st.builds(OperatingPoint, NUMBER, NUMBER, EPOCH, st.booleans())
REQUESTS = st.builds(
    TrialRequest,
    study=TEXT,
    number=EPOCH,
    ordinal=EPOCH,
    attempt=EPOCH,
    folder=TEXT,
    model=TEXT,
    data=TEXT,
    train=SCALARS,
    metric=st.sampled_from(Metric),
    operating_point=POINTS,
    plots=st.sampled_from(["none", "best", "all"]),
    best_value=st.none() | NUMBER,
    checkpoint=st.none() | TEXT,
    known_epochs=EPOCH,
)


@given(MESSAGES)
def test_a_message_is_the_same_after_the_pipe(message: Message) -> None:
    assert decode(encode(message)) == message


@given(REQUESTS)
def test_a_request_is_the_same_after_the_pipe(request: Any) -> None:
    assert TrialRequest.from_json(request.to_json()) == request
