"""What a trial's process leaves of its end, for whoever finds it dead."""

from __future__ import annotations

from hpo.trial.messages import Ended, decode
from hpo.trial.paths import AttemptPaths


def untold(paths: AttemptPaths, token: str) -> Ended | None:
    """The end of the attempt of this token; None where it has none yet, or lies on another machine."""
    if not paths.belongs_to(token):
        return None
    try:
        message = decode(paths.ended.read_bytes())
    except (OSError, ValueError, LookupError, TypeError):
        return None  # not there, or damaged: the training is lost, its retry is not
    return message if isinstance(message, Ended) else None
