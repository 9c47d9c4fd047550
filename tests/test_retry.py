"""Retries: as many and as long as the caller said, and no more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo import retry
from hpo.retry import Backoff
from tests.conftest import ROOT


class Away(Exception):
    """A temporary error."""


def is_away(error: BaseException) -> bool:
    return isinstance(error, Away)


def failing(times: int, error: type[Exception] = Away) -> tuple[Callable[[], str], list[int]]:
    """Return a function that fails the first ``times`` times, and the list of its calls."""
    calls: list[int] = []

    def what() -> str:
        calls.append(len(calls) + 1)
        if len(calls) <= times:
            raise error(f"failure {len(calls)}")
        return "here"

    return what, calls


@settings(deadline=None)
@given(st.integers(0, 12), st.floats(0.01, 5), st.floats(1, 4))
def test_pauses_grow_up_to_the_longest(failures: int, first_s: float, factor: float) -> None:
    backoff, pauses = Backoff(first_s, 10.0, factor), list[float]()
    what, _ = failing(failures)

    def waited(pause_s: float) -> bool:
        pauses.append(pause_s)
        return True

    assert retry.call(what, backoff, again=is_away, waited=waited) == "here"
    assert pauses == [min(first_s * factor**number, 10.0) for number in range(failures)]


def test_a_thousand_failures_make_no_pause_longer_than_the_longest() -> None:
    assert Backoff(0.5, 10.0).pause_s(5000) == 10.0


@given(st.integers(1, 5000), st.floats(0, 1))
def test_jitter_shortens_a_pause_by_its_share_at_most(failures: int, jitter: float) -> None:
    whole = Backoff(0.5, 10.0).pause_s(failures)
    assert whole * (1 - jitter) <= Backoff(0.5, 10.0, jitter=jitter).pause_s(failures) <= whole


def test_those_who_fail_together_do_not_come_back_together() -> None:
    assert len({Backoff(1.0, 1.0, jitter=0.5).pause_s(1) for _ in range(20)}) > 10


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 8))
def test_no_more_tries_are_made_than_allowed_and_the_last_error_is_the_one_raised(tries: int, failures: int) -> None:
    what, calls = failing(failures)
    backoff = Backoff(0.0, 0.0, tries=tries)
    if failures < tries:
        assert retry.call(what, backoff, again=is_away) == "here"
    else:
        with pytest.raises(Away, match=rf"failure {tries}$"):
            retry.call(what, backoff, again=is_away)
    assert len(calls) == min(tries, failures + 1)


@pytest.mark.parametrize("before", [0, 2])
def test_an_error_that_does_not_pass_is_raised_at_once(before: int) -> None:
    calls: list[int] = []

    def what() -> None:
        calls.append(1)
        raise ValueError("a bug") if len(calls) > before else Away

    with pytest.raises(ValueError, match="a bug"):
        retry.call(what, Backoff(0.0, 0.0), again=is_away)
    assert len(calls) == before + 1


def test_who_stops_waiting_gets_the_last_error_and_no_further_call() -> None:
    what, calls = failing(100)
    with pytest.raises(Away, match=r"failure 3$"):
        retry.call(what, Backoff(0.0, 0.0), again=is_away, waited=lambda _: len(calls) < 3)
    assert calls == [1, 2, 3]


def test_an_interrupt_ends_the_waiting_and_is_not_swallowed() -> None:
    what, calls = failing(100)

    def interrupted(_pause_s: float) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry.call(what, Backoff(0.0, 0.0), again=lambda _: True, waited=interrupted)
    assert calls == [1]


def test_each_failure_is_told_once_with_its_number() -> None:
    told: list[tuple[str, int]] = []
    what, _ = failing(3)
    retry.call(what, Backoff(0.0, 0.0), again=is_away, failed=lambda error, number: told.append((str(error), number)))
    assert told == [("failure 1", 1), ("failure 2", 2), ("failure 3", 3)]


def test_a_call_that_succeeds_loads_no_library() -> None:
    code = (
        "import sys; from hpo import retry; retry.call(int, retry.Backoff(1, 1), again=lambda _: True)\n"
        "sys.exit('tenacity' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_what_is_waited_for_is_asked_at_least_once_and_then_until_it_holds() -> None:
    answers = iter([False, False, True])
    assert retry.until(lambda: next(answers), within_s=60, every_s=0)
    assert list(answers) == []
    answers = iter([False, True])
    assert not retry.until(lambda: next(answers), within_s=-1, every_s=0)
    assert list(answers) == [True]
