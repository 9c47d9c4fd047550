"""Work inside a user's process, and leave the process as it was."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from hpo import redaction
from hpo.errors import HpoError, UsageError
from hpo.settings import load_settings

_LOGGERS = ("mlflow", "urllib3.connectionpool")
"""Loggers whose level hpo sets."""

_lock = threading.Lock()
_users: list[Path] = []
"""The home of each study that runs in this process right now."""
_left = ExitStack()
"""Restores the process when the last of them ends."""


class Running(Protocol):
    """A run of a study in this process.

    Any thread may call it, also while the run goes on, and again after its end.
    """

    @property
    def is_alive(self) -> bool:
        """Whether it runs in a thread of its own and has not ended."""
        ...

    def wait(self) -> None:
        """Return when the run has ended.

        Raises:
            HpoError: The run ended with it. Any other error that ended the run is raised as it is.
        """
        ...

    def interrupt(self) -> None:
        """Stop it as Ctrl-C does."""
        ...


@contextmanager
def kept(home: Path) -> Iterator[None]:
    """Leave environment, log levels and multiprocessing as they were before the first study that runs here now.

    They are put back when the last one ends. Errors lose passwords that they quote.

    Args:
        home: Where everything is written (``HPO_HOME``). Trials of one process share it: Ultralytics reads its folder
            from the environment.

    Raises:
        UsageError: A study with another home runs in this process.
    """
    _enter(home)
    try:
        yield
    except HpoError as error:
        error.args = tuple(redaction.redact(each) if isinstance(each, str) else each for each in error.args)
        raise
    finally:
        _leave(home)


def home() -> Path:
    """Read ``HPO_HOME`` without a change to the environment, which reading all settings may make.

    Returns:
        The absolute folder that studies are kept in.
    """
    return load_settings(dict(os.environ)).home


def _enter(home: Path) -> None:
    from hpo.launchers.guest import as_guest

    with _lock:
        if _users and _users[0] != home:
            raise UsageError(
                f"HPO_HOME is {home} now, but a study of {_users[0]} runs in this process: wait for it, "
                "or use another process"
            )
        if not _users:
            for context in (_environment(), _log_levels(), _warnings(), redaction.records_redacted(), as_guest()):
                _left.enter_context(context)
        _users.append(home)


def _leave(home: Path) -> None:
    with _lock:
        _users.remove(home)
        if not _users:
            _left.close()


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)  # all of it: libraries set variables of their own when they are imported
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _warnings() -> Iterator[None]:
    """In a notebook tqdm would ask for ipywidgets when a library imports it; nothing here shows its bars."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        yield


@contextmanager
def _log_levels() -> Iterator[None]:
    known = [logging.getLogger(), *map(logging.getLogger, {*_LOGGERS, *logging.Logger.manager.loggerDict})]
    before = [(logger, logger.level) for logger in known]
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)
