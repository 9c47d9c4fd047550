"""Values in a few characters, for people."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """Write a duration in a few characters.

    Args:
        seconds: At least 0, or None.

    Returns:
        ``1:02:03`` or ``2:03``; a dash for None.
    """
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def short(value: object) -> str:
    """Write a value in a few characters.

    Args:
        value: Anything.

    Returns:
        A float with four digits, anything else as it prints.
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)
