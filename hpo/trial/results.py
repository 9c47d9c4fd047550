"""The result that a dead trial's process may have left on disk."""

from __future__ import annotations

from hpo.trial.messages import Ended, decode
from hpo.trial.paths import AttemptPaths


def untold(paths: AttemptPaths, token: str) -> Ended | None:
    """Return the end of the attempt with this token; None where it has none yet, or lies on another machine."""
    if not paths.belongs_to(token):
        return None
    try:
        message = decode(paths.ended.read_bytes())
    except (OSError, ValueError, LookupError, TypeError):
        return None  # missing or damaged: the training is lost, but it can be retried
    return message if isinstance(message, Ended) else None
