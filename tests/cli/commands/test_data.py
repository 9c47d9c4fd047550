"""`hpo data demo`: the place of the set, its content, and the next command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo.cli.commands.data import data
from hpo.errors import UsageError
from tests.conftest import ROOT


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
