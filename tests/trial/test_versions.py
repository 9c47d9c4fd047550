"""Which versions count as the study's own."""

from __future__ import annotations

import pytest

from hpo.trial import versions

STUDY = {"ultralytics": "8.4.190", "torch": "2.15.0+cu130", "hpo": "0.2.0", "numpy": "2.4.6"}


@pytest.mark.parametrize(
    ("package", "here"),
    [
        ("torch", "2.15.0"),
        ("torch", "2.15.0+cpu"),
        ("hpo", "0.2.0+local"),
        ("numpy", "1.0"),
        ("ultralytics", "8.4.190"),
    ],
)
def test_a_build_of_the_same_release_and_a_package_that_is_not_compared_are_alike(package: str, here: str) -> None:
    assert versions.differences(STUDY, STUDY | {package: here}) == []


@pytest.mark.parametrize(
    ("package", "here"),
    [("torch", "2.14.1"), ("torch", "2.15.0rc1"), ("hpo", "0.3.0"), ("ultralytics", "8.4.190+ours")],
)
def test_another_release_differs_and_both_are_named(package: str, here: str) -> None:
    (line,) = versions.differences(STUDY, STUDY | {package: here})
    assert all(part in line for part in (package, STUDY[package], here))


def test_a_version_that_was_not_recorded_differs_from_none() -> None:
    assert versions.differences({}, STUDY) == []
    assert versions.used_beside(STUDY, [{}, {"batch": 8}]) == {}


def test_versions_of_attempts_are_told_where_they_are_not_the_studys() -> None:
    attempts = [{"torch": "2.15.0"}, {"torch": "2.14.0"}, {"torch": "2.14.0", "ultralytics": "8.5.0"}]
    assert versions.used_beside(STUDY, attempts) == {"torch": ["2.14.0"], "ultralytics": ["8.5.0"]}
