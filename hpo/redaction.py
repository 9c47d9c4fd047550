"""Passwords that a process knows never leave it: not in log records, traces or messages.

Two rules do this. Every password that was read is remembered and replaced wherever it occurs. And a URL loses its
passwords, ``://user:password@`` and ``?password=``, even if they were not remembered.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from hpo import urls
from hpo.texts import visible

SHORTEST = 4
"""Number of characters. A shorter password is not remembered: hiding it would damage words that contain it by
chance.
"""

_known: set[str] = set()


def remember(password: str | None) -> None:
    """Hide ``password`` in ``redact`` from now on, also as it is written in URLs and in Python's ``repr``."""
    if password is None or len(password) < SHORTEST:
        return
    plain = {password, unquote(password), unquote_plus(password)}
    for text in plain:
        _known.update((text, quote(text, safe=""), quote(text), quote_plus(text), repr(text)[1:-1]))


def remember_url(url: str) -> None:
    """Hide every password of ``url`` in ``redact`` from now on."""
    for password in urls.passwords_in(url):
        remember(password)


def redact(text: str) -> str:
    """Return ``text`` with every known password, and every password in a URL, replaced by ``***``."""
    for password in sorted(_known, key=len, reverse=True):
        text = text.replace(password, urls.MASK)
    return urls.masked_in_text(text)


def trace(error: BaseException) -> str:
    """Return the trace of ``error`` and its causes, without passwords."""
    return visible(redact("".join(traceback.format_exception(error))))


def install() -> None:
    """Redact all log records of this process, whichever library's handler writes them, and uncaught errors.

    Filters on the root logger miss the records of other loggers, and libraries (Optuna, MLflow) add their own handlers.
    So records, with their trace, are redacted where they are made.
    """
    before = logging.getLogRecordFactory()
    if not isinstance(before, _Records):
        logging.setLogRecordFactory(_Records(before))
    sys.excepthook = _print_uncaught
    threading.excepthook = _print_uncaught_in_thread


@contextmanager
def records_redacted() -> Iterator[None]:
    """Redact log records until the block ends, in a program that is not ours; its handlers and hooks stay as
    they are.
    """
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(_Records(before))
    try:
        yield
    finally:
        logging.setLogRecordFactory(before)


class _Records:
    """Factory of log records without passwords."""

    def __init__(self, make: object) -> None:
        self._make = make

    def __call__(self, *args: object, **kwargs: object) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)  # type: ignore[operator]
        _redact_message(record)
        if record.exc_info and record.exc_info[1] is not None:
            # formatters write exc_text if it is set, and format exc_info themselves only if it is not
            record.exc_text = trace(record.exc_info[1]).rstrip()
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return record


def _redact_message(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except (TypeError, ValueError):
        return  # the arguments do not fit the format: logging reports this itself when the record is written
    safe = visible(redact(message))
    if safe != message:
        record.msg, record.args = safe, ()


def _print_uncaught(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    sys.stderr.write(trace(error))


def _print_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "a thread"
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        sys.stderr.write(f"Exception in thread {name}:\n{trace(args.exc_value)}")
