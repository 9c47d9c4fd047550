"""Hostile weights through the command line: refused in words, or trusted by their content on every node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.training.test_trust import hostile

Study = Callable[..., Path]
QUICK = ("budget.trials=1", "train.epochs=1", "train.close_mosaic=0", "train.warmup_epochs=0")


@pytest.mark.long
def test_hostile_weights_are_refused_and_trained_only_where_the_creator_trusts_them(shell: Shell, study: Study) -> None:
    weights, seen = hostile(shell.folder), shell.folder / "seen"
    # a module of the working folder, which only the processes of trainings would import
    (shell.folder / "thop.py").write_text(f"open({str(seen)!r}, 'w')")
    said = shell.run("run", study(), *QUICK, f"model={weights}", code=2)
    assert "model: " in said
    assert "could run code: it refers to posix.system" in said
    for key in ("train.pretrained", "train.distill_model"):
        said = shell.run("run", study(), *QUICK, f"{key}={weights}", code=2)
        assert f"{key}: " in said
    assert not seen.exists()
    assert not (shell.home / "hpo.db").exists()

    shell.run("create", study(), *QUICK, f"model={weights}", "--trust", weights)
    assert seen.exists()
    seen.unlink()
    shell.run("run", study(), *QUICK, f"model={weights}", code=2)  # it is said each time
    assert not seen.exists()
    shell.run("worker", "small", "--gpus", "cpu")
    assert seen.exists()
