"""The detail of a failure names its place, by which two failures are known to be the same."""

from __future__ import annotations

import pytest

from hpo.trial.failures import described, signature


def fails(text: str) -> str:
    try:
        raise OSError(30, text)  # noqa: TRY301
    except OSError as error:
        return described(error)


def test_the_same_exception_from_the_same_frame_is_the_same_failure_whatever_it_says() -> None:
    assert "trial/test_failures.py" in fails("Read-only file system: '/data/a.cache'")
    assert signature(fails("Read-only file system: '/data/a.cache'")) == signature(
        fails("another [1 in 2]\nsecond line")
    )


def test_another_frame_or_class_is_another_failure() -> None:
    known = fails("x")
    assert signature(known) != signature(known.replace("OSError", "ValueError"))
    assert signature(known) != signature(known.replace(" in fails", " in succeeds"))


def test_a_long_text_hides_no_place() -> None:
    line = fails("long " * 500)
    assert len(line) == 500
    assert signature(line) == signature(fails("short"))


@pytest.mark.parametrize("detail", ["", "the process ended without a result (signal 11)", "KeyError: 'no frame'"])
def test_a_detail_without_a_frame_has_no_signature(detail: str) -> None:
    """Such details come from dead processes, and from older versions."""
    assert signature(detail) is None
