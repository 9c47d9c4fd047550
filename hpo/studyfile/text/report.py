"""What breaks a rule, and the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

_SHORT_LIST = 12


@dataclass(frozen=True)
class Finding:
    """A rule that the study breaks; the loader knows the file and the line of ``path``."""

    path: str
    """Key path such as ``space.lr0``."""
    message: str
    """The problem, its reason, and the way out."""
    also: tuple[str, ...] = ()
    """Further key paths that led to it. Where one of them has a problem of its own, this finding is void."""


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: ``; did you mean lr0? (valid: ...)``, a short list in full."""
    names = sorted(valid)
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    listed = f"valid: {', '.join(names)}" if 0 < len(names) <= _SHORT_LIST else ""
    if not close:
        return f"; {listed}" if listed else ""
    return f"; did you mean {close[0]}?" + (f" ({listed})" if listed else "")
