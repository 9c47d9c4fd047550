from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hpo.trial.kinds import Kind
from hpo.trial.messages import Checkpointed, Ended, EpochReport, Message, Progress, Started, decode, encode
from hpo.trial.objective import Average, Constraint, Objective, Quantity
from hpo.trial.operating_point import Gain, Interval, KindResult, OperatingPoint, Rated, SweepPlan, SweepResult
from hpo.trial.request import PredictionFolder, TrialRequest
from hpo.trial.vocabulary import Metric, Reason
from tests.support import swept

TEXT = st.text(max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
EPOCH = st.integers(0, 10_000)
NUMBERS = st.dictionaries(TEXT, NUMBER, max_size=4)
SCALARS = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | NUMBER | TEXT, max_size=4)
SHARE = st.floats(0, 1)
POINTS = st.builds(
    OperatingPoint,
    st.none() | SHARE,
    SHARE,
    EPOCH,
    st.sampled_from(Kind),
    st.none() | SHARE,
    st.none() | st.lists(SHARE, max_size=3).map(tuple),
)
OBJECTIVES = st.builds(Objective, st.sampled_from(Metric)) | st.builds(
    Objective,
    st.just(Metric.F1),
    st.sampled_from(Average),
    st.floats(0.01, 100),
    st.lists(st.builds(Constraint, st.just(Quantity.RECALL), SHARE, st.none() | st.just("a b")), max_size=2).map(tuple),
)
PLANS = st.builds(
    SweepPlan,
    kinds=st.lists(st.sampled_from(Kind), min_size=1, max_size=2, unique=True).map(tuple),
    ious=st.lists(SHARE, min_size=1, max_size=5).map(tuple),
    conf=st.tuples(SHARE, SHARE),
    max_dets=st.lists(EPOCH, max_size=2).map(tuple),
    per_class=st.booleans(),
)
KEYS = ("precision", "recall", "f1", "map50", "map50_95", "map50_all", "map50_95_all")
SCORES = st.fixed_dictionaries(dict.fromkeys(KEYS, SHARE))
RATED = st.builds(Rated, POINTS, SCORES, EPOCH, EPOCH)
GAINS = st.builds(Gain, TEXT, NUMBER, NUMBER, NUMBER, st.none() | st.builds(Interval, NUMBER, NUMBER, NUMBER))
RESULTS = st.builds(
    SweepResult,
    capture=st.sampled_from(["deploy", "val"]),
    images=EPOCH,
    settings=EPOCH,
    points=EPOCH,
    seconds=NUMBER,
    objective=TEXT,
    value=NUMBER,
    in_sample=NUMBER,
    default_value=NUMBER,
    feasible=st.booleans(),
    default_feasible=st.booleans(),
    best=RATED,
    default=RATED,
    gain=GAINS,
    by_kind=st.lists(st.builds(KindResult, RATED, GAINS), max_size=2).map(tuple),
)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Started, SCALARS),
    st.builds(Progress, TEXT, EPOCH, NUMBER),
    st.builds(EpochReport, EPOCH, NUMBER, NUMBERS, NUMBER, NUMBER),
    st.builds(Checkpointed, EPOCH),
    st.builds(
        Ended,
        st.sampled_from(Reason),
        TEXT,
        EPOCH,
        st.none() | NUMBER,
        NUMBERS,
        st.none() | EPOCH,
        NUMBER,
        st.none() | POINTS,
        st.none() | RESULTS,
    ),
)
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
    objective=OBJECTIVES,
    operating_point=st.none() | POINTS,
    sweep=st.none() | PLANS,
    predictions=st.none() | st.builds(PredictionFolder, TEXT, EPOCH, TEXT),
    plots=st.sampled_from(["none", "best", "all"]),
    best_value=st.none() | NUMBER,
    checkpoint=st.none() | TEXT,
    known_epochs=EPOCH,
)


@given(MESSAGES)
def test_a_message_is_the_same_after_the_pipe(message: Message) -> None:
    assert decode(encode(message)) == message


def test_a_result_of_before_there_were_sweeps_is_still_read() -> None:
    old = {"reason": "complete", "detail": "", "epochs": 3, "value": 0.5, "metrics": {}, "best_epoch": 2}
    message = decode(json.dumps({"kind": "Ended", **old, "recorded_at": 1.0}).encode())
    assert isinstance(message, Ended)
    assert message.swept is None


@given(POINTS, RESULTS)
def test_a_result_holds_the_json_forms_of_what_was_found(point: OperatingPoint, result: SweepResult) -> None:
    """A new version reads the results of an earlier version's process with their original meaning."""
    found = {"operating_point": point.to_dict(), "swept": result.to_dict()}
    fields = {"reason": "complete", "detail": "", "epochs": 3, "value": 0.5, "metrics": {}, "best_epoch": 2}
    stored = json.dumps({"kind": "Ended", **fields, "recorded_at": 1.0, **found}).encode()
    message = decode(stored)
    assert isinstance(message, Ended)
    assert (message.operating_point, message.swept) == (point, result)
    assert json.loads(encode(message)) == json.loads(stored)


@given(RESULTS)
def test_what_a_sweep_found_is_the_same_after_json(result: SweepResult) -> None:
    assert SweepResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@given(POINTS)
def test_an_operating_point_is_the_same_after_json_and_beside_other_keys(point: OperatingPoint) -> None:
    stored = json.loads(json.dumps({**point.to_dict(), "sweep": {}}))
    assert OperatingPoint.from_dict(stored) == point


def test_an_operating_point_of_before_there_were_kinds_is_still_read() -> None:
    old = {"iou": 0.6, "conf": 0.3, "max_det": 100, "agnostic_nms": True}
    assert OperatingPoint.from_dict(old) == OperatingPoint(0.6, 0.3, 100, Kind.AGNOSTIC)


def test_a_plan_of_before_limits_were_swept_is_of_300_detections_alone() -> None:
    for old in ({}, {"max_dets": [300]}):
        assert SweepPlan.from_dict({"kinds": ["hard"], "ious": [0.5, 0.7], **old}).for_labels(400).max_dets == (300,)


@given(RATED)
def test_scores_of_before_limits_were_counted_are_still_read(rated: Rated) -> None:
    found = replace(swept(), best=rated).to_dict()
    old = {name: value for name, value in found["best"].items() if not name.startswith("images_")}
    assert SweepResult.from_dict({**found, "best": old}).best == replace(rated, images_cut=0, images_beyond=0)


@given(REQUESTS)
def test_a_request_is_the_same_after_the_pipe(request: Any) -> None:
    assert TrialRequest.from_json(request.to_json()) == request
