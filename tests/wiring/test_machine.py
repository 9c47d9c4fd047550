"""Facts that a machine reports about itself."""

from __future__ import annotations

from importlib import metadata

import pytest

from hpo.wiring import machine

INSTALLED = metadata.version


@pytest.mark.parametrize("name", machine.OPENCV)
def test_any_package_that_holds_opencv_will_do(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def version(asked: str) -> str:
        if asked == name:
            return "5.0"
        if asked in machine.OPENCV:
            raise metadata.PackageNotFoundError(asked)
        return INSTALLED(asked)

    monkeypatch.setattr(metadata, "version", version)
    found = machine.versions()
    assert found[name] == "5.0"
    assert not (set(machine.OPENCV) - {name}) & set(found)
    assert {"hpo", "python", "torch", "ultralytics"} <= set(found)
