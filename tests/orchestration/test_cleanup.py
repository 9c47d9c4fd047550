from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hpo.orchestration.cleanup import Cleaner
from hpo.study.studies.leaderboard import Placement
from hpo.trial import checkpoints
from hpo.trial.paths import AttemptPaths

CHECKPOINTED = {"best.pt", "last.pt", "checkpoint-00003.pt", "checkpoint-00003.json"}
Clean = Callable[[], list[int]]


@dataclass
class Study:
    """The answers of a study's database to a cleaner."""

    folder: Path
    best: dict[int, str] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    asked: list[set[int]] = field(default_factory=list)

    def standing(self, numbers: Collection[int]) -> Placement:
        self.asked.append(set(numbers))
        return Placement(self.best, frozenset(numbers) - self.open)

    def train(self, number: int, attempt: int = 1) -> AttemptPaths:
        """Make an attempt that has written all its weights."""
        paths = AttemptPaths.of(self.folder, number, attempt)
        paths.best.parent.mkdir(parents=True)
        for file in (paths.best, paths.last, paths.results, paths.log):
            file.write_text(file.name)
        checkpoints.write(paths.checkpoints, 3, "token", lambda file: file.write(b"state"))
        return paths


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "study")


@pytest.fixture
def clean(study: Study) -> Clean:
    return Cleaner(study.folder, study.standing).clean


def weights(paths: AttemptPaths) -> set[str]:
    return {path.name for path in paths.best.parent.iterdir()}


def test_best_pt_of_the_best_stays_until_others_are_better(study: Study, clean: Clean) -> None:
    first, second = study.train(0), study.train(1)
    study.best = {1: str(second.folder)}
    assert clean() == [0]
    assert (weights(first), weights(second)) == (set(), {"best.pt"})
    third = study.train(2)
    study.best = {2: str(third.folder)}
    assert clean() == [1]
    assert (weights(second), weights(third)) == (set(), {"best.pt"})


def test_of_a_trial_with_several_attempts_the_newest_keeps_its_weights(study: Study, clean: Clean) -> None:
    older, newest = study.train(4), study.train(4, 2)
    study.best = {4: str(newest.folder)}
    assert clean() == [4]
    assert (weights(older), weights(newest)) == (set(), {"best.pt"})


def test_what_says_how_a_trial_went_always_stays(study: Study, clean: Clean) -> None:
    pruned = study.train(0)
    clean()
    assert weights(pruned) == set()
    assert pruned.results.exists()
    assert pruned.log.exists()


def test_nothing_that_can_still_be_resumed_is_touched(study: Study, clean: Clean) -> None:
    running = study.train(0)
    study.open = {0}
    assert clean() == []
    assert weights(running) == CHECKPOINTED
    study.open = set()
    assert clean() == [0]
    assert weights(running) == set()


def test_what_is_bare_is_not_looked_at_again(study: Study, clean: Clean) -> None:
    kept, _, open_one = study.train(0), study.train(1), study.train(12345)
    study.best, study.open = {0: str(kept.folder)}, {12345}
    assert clean() == [1]
    study.train(3)
    assert clean() == [3]
    assert clean() == []
    assert study.asked == [{0, 1, 12345}, {0, 3, 12345}, {0, 12345}]
    assert weights(open_one) == CHECKPOINTED


def test_other_files_and_a_study_without_trials_are_left_alone(study: Study, clean: Clean) -> None:
    assert clean() == []
    (study.folder / "trials" / "mine").mkdir(parents=True)
    (study.folder / "trials" / "notes.txt").write_text("kept")
    assert clean() == []
    assert {path.name for path in (study.folder / "trials").iterdir()} == {"mine", "notes.txt"}
    assert study.asked == [set(), set()]
