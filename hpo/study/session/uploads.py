"""Checkpoints in the artifact store. A row names only complete uploads: it is written after the upload.

An upload is deleted in the store before its row forgets it, so a crash in between leaves nothing unknown.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, and_, select, update

from hpo.study.claims.claim import Claim
from hpo.study.claims.claims import owned
from hpo.study.database.storage import Storage
from hpo.study.database.tables import attempts, claims
from hpo.study.records import StudyRow, Upload
from hpo.study.session.context import SessionContext


@dataclass(frozen=True)
class UploadRows:
    """The rows about uploads, for one worker. A write with a token raises ``ClaimLost`` where another one owns it."""

    context: SessionContext

    def add(self, token: str, upload: Upload) -> list[Upload]:
        """Add the upload to the attempt's row; return those to delete in the store and forget then.

        Two uploads of an ordinal stay: the newest of this attempt, and the one of other attempts with the most epochs.
        """

        def action(connection: Connection) -> list[Upload]:
            claim = owned(connection, token)
            rows = {row.token: _uploads(row) for row in connection.execute(_of_ordinal(claim))}
            mine = [each for each in rows[token] if each.location != upload.location]
            _write(connection, token, [*mine, upload])
            others = [*mine, *(each for key, kept in rows.items() if key != token for each in kept)]
            second = max(others, key=lambda each: each.epoch, default=None)
            return [each for each in others if each is not second]

        superseded = self.context.storage.write(action)
        self.context.failpoint("uploaded")
        return superseded

    def forget(self, token: str, gone: list[Upload]) -> None:
        """Remove the uploads ``gone``, which were deleted in the store, from the rows of the token's ordinal."""
        locations = {upload.location for upload in gone}

        def action(connection: Connection) -> None:
            for row in connection.execute(_of_ordinal(owned(connection, token))).all():
                kept = [each for each in _uploads(row) if each.location not in locations]
                _write(connection, row.token, kept)

        self.context.storage.write(action)

    def left(self) -> dict[int, list[Upload]]:
        """Return the uploads that rows still name, of closed ordinals, by ordinal."""
        over = and_(claims.c.study_id == attempts.c.study_id, claims.c.ordinal == attempts.c.ordinal, ~claims.c.open)
        mine = and_(attempts.c.study_id == self.context.study.id, attempts.c.uploads != [])
        named = select(attempts.c.ordinal, attempts.c.uploads).join(claims, over).where(mine)
        found: dict[int, list[Upload]] = defaultdict(list)
        for row in self.context.storage.read(lambda connection: connection.execute(named).all()):
            found[row.ordinal] += _uploads(row)
        return dict(found)

    def clear(self, ordinal: int) -> None:
        """Forget the uploads of an ordinal, if it is closed. Call it after its place in the store is empty."""
        study_id = self.context.study.id
        closed = select(claims.c.ordinal).where(claims.c.study_id == study_id, ~claims.c.open)
        mine = and_(attempts.c.study_id == study_id, attempts.c.ordinal == ordinal, attempts.c.ordinal.in_(closed))
        self.context.storage.execute(update(attempts).where(mine).values(uploads=[]))


def named(storage: Storage, study: StudyRow) -> list[Upload]:
    """Return all uploads that rows name."""
    mine = select(attempts.c.uploads).where(attempts.c.study_id == study.id, attempts.c.uploads != [])
    return [each for row in storage.read(lambda connection: connection.execute(mine).all()) for each in _uploads(row)]


def _of_ordinal(claim: Claim) -> Any:
    mine = and_(attempts.c.study_id == claim.study_id, attempts.c.ordinal == claim.ordinal)
    return select(attempts.c.token, attempts.c.uploads).where(mine)


def _uploads(row: Any) -> list[Upload]:
    return [Upload(**raw) for raw in row.uploads]


def _write(connection: Connection, token: str, uploads: list[Upload]) -> None:
    stored = [asdict(upload) for upload in uploads]
    connection.execute(update(attempts).where(attempts.c.token == token).values(uploads=stored))
