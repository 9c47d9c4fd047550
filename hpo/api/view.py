"""What a use case tells whoever shows it: a terminal, a notebook, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from typing_extensions import override

from hpo.trial.ports import Watcher

if TYPE_CHECKING:
    from hpo.study.records import StudyRow, TrialRow
    from hpo.study.status import StatusRow
    from hpo.trial.messages import Ended, EpochReport
    from hpo.trial.request import TrialRequest
    from hpo.trial.vocabulary import Reaction
    from hpo.wiring.opening import LocalStudy


class NoWatcher(Watcher):
    """Is told of every trial that runs here, and shows nothing."""

    @override
    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        return

    @override
    def progress(self, number: int, stage: str, epoch: int, fraction: float) -> None:
        return

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        return

    @override
    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        return

    @override
    def trial_lost(self, number: int) -> None:
        return


class View:
    """Is told how a study runs, and shows nothing; a subclass overrides what it shows."""

    def decoding(self) -> AbstractContextManager[Callable[[int, int], None]]:
        """Choose what is told while the data's images are decoded, before the study is open.

        Returns:
            A context manager, entered meanwhile; it gives a function that gets the images done, and all.
        """
        return nullcontext(lambda _done, _images: None)

    def opened(self, study: LocalStudy, known: Sequence[TrialRow]) -> None:
        """Hear that a study is stored and about to be worked on.

        Args:
            study: The study, open on this machine.
            known: Its trials so far, by number.
        """

    def workers_started(self, study: LocalStudy, workers: int) -> None:
        """Hear that worker processes work on a study on this machine.

        Args:
            study: The study, open on this machine.
            workers: Their number, this process included.
        """

    def watcher(self, study: StudyRow, ask: Callable[[], StatusRow]) -> AbstractContextManager[Watcher]:
        """Choose what is told of the trials that run here, for as long as they run.

        Args:
            study: The search, or its confirmation.
            ask: Returns where the study stands; raises StorageUnavailable while the database is away.

        Returns:
            A context manager; it is entered before the first trial and left after the last.
        """
        del study, ask
        return nullcontext(NoWatcher())

    def nothing_to_confirm(self) -> None:
        """Hear that no trial beside the baseline is complete."""

    def confirming(self, stage: LocalStudy, done: int) -> None:
        """Hear that a confirmation begins or goes on.

        Args:
            stage: The confirmation, open on this machine.
            done: Its runs that are done, from 0.
        """

    def predicting(self, done: int, runs: int) -> None:
        """Hear that the verdict has predicted with the weights of one more run.

        Args:
            done: Runs whose weights have predicted.
            runs: Runs in all.
        """
