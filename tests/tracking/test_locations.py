"""Files of MLflow are found below the present home, and nowhere else is one taken for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.tracking.locations import lies_elsewhere, present


def test_files_that_have_moved_with_the_home_are_found(tmp_path: Path) -> None:
    root = tmp_path / "b %41 ?#'" / "mlartifacts"
    (root / "study" / "run" / "artifacts").mkdir(parents=True)
    stored = (tmp_path / "a %41 ?#'" / "mlartifacts" / "study" / "run" / "artifacts").as_uri()
    assert lies_elsewhere(stored, root)
    assert present(stored, root) == (root / "study" / "run" / "artifacts").as_uri()
    gone = stored.replace("run", "other")
    assert present(gone, root) == gone


@pytest.mark.parametrize("location", ["mlflow-artifacts:/1/run/artifacts", "s3://bucket/mlartifacts/1"])
def test_a_server_knows_itself_where_its_files_are(location: str, tmp_path: Path) -> None:
    for root in (None, tmp_path / "mlartifacts"):
        assert not lies_elsewhere(location, root)
        assert present(location, root) == location
