from __future__ import annotations

from pathlib import Path

import pytest

from hpo.trial import results
from hpo.trial.messages import Ended, Progress, encode
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason

ENDED = Ended(Reason.COMPLETE, "", 3, 0.5, {"map50": 0.5}, 2, 1_767_225_700.0)


@pytest.fixture
def paths(tmp_path: Path) -> AttemptPaths:
    found = AttemptPaths(tmp_path / "00001-1")
    found.claim("mine")
    return found


def test_an_end_is_found_by_the_attempts_own_token(paths: AttemptPaths) -> None:
    assert results.untold(paths, "mine") is None
    paths.ended.write_bytes(encode(ENDED))
    assert results.untold(paths, "mine") == ENDED
    assert results.untold(paths, "another") is None
    assert results.untold(AttemptPaths(paths.folder / "elsewhere"), "mine") is None


@pytest.mark.parametrize("damage", [b"", b"{", encode(ENDED)[:-7], encode(Progress("train", 1, 0.5)), b"[1]"])
def test_what_is_damaged_or_no_end_is_none(paths: AttemptPaths, damage: bytes) -> None:
    paths.ended.write_bytes(damage)
    assert results.untold(paths, "mine") is None
