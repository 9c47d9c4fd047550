"""What the uploading of checkpoints needs of the database, and what a worker needs of the uploading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hpo.study.records import Proposal, Upload
from hpo.trial.paths import AttemptPaths


class Rows(Protocol):
    """The database's rows about uploads; see ``hpo.study.session.worker_session.WorkerSession``.

    Every write happens in full or not at all, and one with a token is fenced by it: who lost the attempt changes
    nothing. The thread of the uploads makes all calls, beside the worker's own threads. Each call but ``lost`` raises
    StorageUnavailable while the database does not answer.
    """

    def lost(self, token: str) -> bool:
        """Tell whether an attempt is known to be someone else's, without asking the database.

        Args:
            token: The attempt's token.

        Returns:
            True once the lease was found to be gone; what an attempt has uploaded may not be written down then.
        """
        ...

    def uploaded(self, token: str, upload: Upload) -> list[Upload]:
        """Write down that an attempt can be resumed from an upload, which lies in the store in full.

        Args:
            token: The attempt's token.
            upload: What was uploaded.

        Returns:
            The uploads that are needed no more. Their rows stay until they are deleted in the store and forgotten.

        Raises:
            ClaimLost: The attempt is someone else's now, or has ended; the row was not written.
        """
        ...

    def forget_uploads(self, token: str, gone: list[Upload]) -> None:
        """Remove the rows of uploads that were deleted in the store.

        Args:
            token: The token of the attempt that owns the trial.
            gone: The uploads, of this attempt or of earlier ones at the same trial.

        Raises:
            ClaimLost: The attempt is someone else's now, or has ended.
        """
        ...

    def uploads_left(self) -> dict[int, list[Upload]]:
        """Read what trials that ended for good left in the store, whoever trained them.

        Returns:
            The uploads by the trial's ordinal; no ordinal has an empty list.
        """
        ...

    def uploads_cleared(self, ordinal: int) -> None:
        """Remove all rows about the uploads of a trial, whose folder in the store is empty.

        Args:
            ordinal: The trial's ordinal; one whose trial has not ended for good is left as it is.
        """
        ...


class Uploading(Protocol):
    """Takes the checkpoints of a worker's attempts to where another machine can fetch them.

    No call raises, and all but ``hand_over`` and ``close`` return at once. The slots' threads call it side by side,
    each for its own attempt. There is one that does nothing, for where there is no store to reach.
    """

    def follow(self, proposal: Proposal, paths: AttemptPaths) -> None:
        """An attempt begins.

        Args:
            proposal: The trial and its attempt; ``resume_epoch`` says what it is resumed from.
            paths: Where its checkpoints will lie.
        """
        ...

    def checkpointed(self, token: str) -> None:
        """A checkpoint is in place.

        Args:
            token: The attempt's token; one that is not followed is passed over.
        """
        ...

    def hand_over(self, token: str, within_s: float, hurried: Callable[[], bool]) -> bool:
        """Upload the newest checkpoint now, before the trial is given back, which ends the right to write.

        Args:
            token: The attempt's token.
            within_s: How long to wait at most, in seconds.
            hurried: Asked again and again; once it returns True nothing more is waited for.

        Returns:
            Whether the newest checkpoint is in the database, now or already before.
        """
        ...

    def forget(self, token: str) -> None:
        """The attempt ended, was given back or lost: nothing more of it is uploaded.

        Args:
            token: The attempt's token.
        """
        ...

    def close(self, within_s: float) -> None:
        """Wait for what goes on; what is left undone the next worker does when it begins.

        Args:
            within_s: How long to wait at most, in seconds.
        """
        ...


class NoUploads:
    """Checkpoints stay on this machine."""

    def follow(self, proposal: Proposal, paths: AttemptPaths) -> None:
        """Do nothing."""

    def checkpointed(self, token: str) -> None:
        """Do nothing."""

    def hand_over(self, token: str, within_s: float, hurried: Callable[[], bool]) -> bool:  # noqa: ARG002
        """Do nothing: no checkpoint is in any store."""
        return False

    def forget(self, token: str) -> None:
        """Do nothing."""

    def close(self, within_s: float) -> None:
        """Do nothing."""
