"""`hpo data`: a check of a data set; the demo set's place, its content, and the next command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo.cli.commands.data import data
from hpo.errors import UsageError
from tests.conftest import ROOT
from tests.damaged import damage, jpegs


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Return a runner in a separate folder with the quick-start study, as in a checkout."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    shutil.copyfile(ROOT / "studies" / "quickstart.yaml", tmp_path / "studies" / "quickstart.yaml")
    return CliRunner()


def test_the_demo_set_lands_in_data_digits_and_the_next_step_is_named(runner: CliRunner) -> None:
    result = runner.invoke(data, ["demo"], catch_exceptions=False)
    assert Path("data/digits/data.yaml").is_file()
    assert "train 180 scenes" in result.output
    assert result.output.splitlines()[-1] == "next: hpo run studies/quickstart.yaml"


def test_another_folder_is_carried_into_the_next_step(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(data, ["demo", "my set"], catch_exceptions=False)
    override = f"'data={tmp_path / 'my set' / 'data.yaml'}'"
    assert result.output.splitlines()[-1] == f"next: hpo run studies/quickstart.yaml {override}"


def test_a_set_that_is_there_is_an_error_unless_that_is_asked_for(runner: CliRunner) -> None:
    first = runner.invoke(data, ["demo", "--if-missing"], catch_exceptions=False)
    with pytest.raises(UsageError, match="--if-missing"):
        runner.invoke(data, ["demo"], catch_exceptions=False)
    again = runner.invoke(data, ["demo", "--if-missing"], catch_exceptions=False)
    assert again.output == first.output


def test_outside_a_checkout_the_next_step_is_a_study_of_ones_own(runner: CliRunner) -> None:
    shutil.rmtree("studies")
    result = runner.invoke(data, ["demo"], catch_exceptions=False)
    assert result.output.splitlines()[-1].startswith("next: hpo init --data data/digits/data.yaml --model ")


def test_a_check_names_each_file_and_changes_none(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPO_HOME", str(tmp_path / "home"))
    jpegs(tiny, tmp_path / "set")
    damaged = damage(tmp_path / "set")
    before = damaged.digest()
    told = CliRunner().invoke(data, ["check", str(damaged.data)], catch_exceptions=False).output
    found = json.loads(CliRunner().invoke(data, ["check", str(damaged.data), "--json"], catch_exceptions=False).output)
    assert damaged.digest() == before
    assert not damaged.canary.exists()
    kinds = [(each["kind"], Path(each["file"]).name) for each in found["findings"]]
    expected = [("left out", name) for name in damaged.truncated] + [("repaired", name) for name in damaged.endless]
    assert [each for each in kinds if each[0] in ("left out", "repaired")] == expected
    assert all(name in told for name in (*damaged.truncated, *damaged.endless))
    assert found["splits"]["train"]["images"] == 14
