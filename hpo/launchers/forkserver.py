"""Trials as children of a preloaded forkserver: isolation for 0.2 s instead of 3 to 8 s a trial."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from typing_extensions import override

from hpo.launchers.environ import prepare_children
from hpo.trial.messages import Answer, Message, decode
from hpo.trial.ports import Launcher, TrialProcess
from hpo.trial.request import TrialRequest

Entry = Callable[[str, Connection, Connection], None]
JOIN_S = 5.0
NAME = "hpo"
"""Title of every process that this module starts."""


class ForkserverLauncher(Launcher):
    """Launcher that starts ``entry`` in forked children. Its constructor starts the forkserver's preload in the
    background.
    """

    def __init__(self, entry: Entry, preload: str, environment: Mapping[str, str]) -> None:
        """Store the entry. ``preload`` is a module that can be imported without this process's changes to
        ``sys.path``.
        """
        self._entry = entry
        self._preload = preload
        # for the whole process: if a forkserver dies, the standard library starts another at the next start
        os.environ.update(environment)
        prepare_children()
        self._context = multiprocessing.get_context("forkserver")
        self._ensure_server()
        _end_server_at_exit(os.getpid())

    @override
    def start(self, request: TrialRequest) -> TrialProcess:
        return self._spawn(self._entry, request.to_json())

    def call(self, entry: Entry, request: str, timeout_s: float) -> str:
        """Run ``entry`` in a child and return its only answer. Raises TimeoutError, or EOFError if it died
        without one.
        """
        process = self._spawn(entry, request)
        try:
            return process.receive_text(timeout_s)
        finally:
            process.kill()

    def _ensure_server(self) -> None:
        """Start the forkserver if none runs with this launcher's preload: a process has only one of them."""
        if forkserver._forkserver._preload_modules != [self._preload]:  # type: ignore[attr-defined]  # noqa: SLF001
            end_server()
            self._context.set_forkserver_preload([self._preload])
        forkserver.ensure_running()

    def _spawn(self, entry: Entry, text: str) -> ForkedProcess:
        self._ensure_server()
        ours, theirs = self._context.Pipe()
        # only the worker holds the write end: when it is gone, the child reads end-of-file and kills its own group
        lifeline, held = self._context.Pipe(duplex=False)
        process = self._context.Process(target=entry, args=(text, theirs, lifeline), name=NAME, daemon=False)
        process.start()
        theirs.close()
        lifeline.close()
        return ForkedProcess(process, ours, held)


def end_server() -> None:
    """End the forkserver of this process, if one runs, even in the middle of its imports, which take seconds.

    Its children go on. The next start makes a new one, with the environment of that time.
    """
    server: Any = forkserver._forkserver  # noqa: SLF001  (3.11 to 3.13 have no public way)
    if server._forkserver_pid is not None:  # noqa: SLF001
        with suppress(ProcessLookupError):
            os.kill(server._forkserver_pid, signal.SIGKILL)  # noqa: SLF001
    server._stop()  # noqa: SLF001


@cache
def _end_server_at_exit(owner: int) -> None:
    """End the forkserver when process ``owner`` ends: whoever reads its output would wait for the imports."""

    def end() -> None:
        if os.getpid() == owner:  # and not a fork of it
            end_server()

    atexit.register(end)


class ForkedProcess(TrialProcess):
    """A forked child. It counts as ended when its message pipe ends: a sentinel would also fire when the forkserver
    dies.
    """

    def __init__(self, process: ForkServerProcess, pipe: Connection, held: Connection) -> None:
        self._process = process
        self._pipe = pipe
        self._held = held

    @property
    @override
    def pid(self) -> int:
        assert self._process.pid is not None  # noqa: S101  (started by the launcher)
        return self._process.pid

    @override
    def receive(self, timeout_s: float) -> Message | None:
        try:
            return decode(self._pipe.recv_bytes()) if self._pipe.poll(timeout_s) else None
        except ConnectionResetError as error:
            raise EOFError from error

    def receive_text(self, timeout_s: float) -> str:
        if not self._pipe.poll(timeout_s):
            raise TimeoutError(f"no answer within {timeout_s:g} s")
        return self._pipe.recv_bytes().decode()

    @override
    def answer(self, answer: Answer) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it died while it waited: the next receive reports it
            self._pipe.send_bytes(answer.value.encode())

    @override
    def kill(self) -> None:
        for end in (os.killpg, os.kill):  # before its setsid the child leads no group of its own
            with suppress(ProcessLookupError):
                end(self.pid, signal.SIGKILL)
        self._held.close()
        self._process.join(JOIN_S)

    @override
    def exit_code(self) -> int | None:
        self._process.join(JOIN_S)
        code = self._process.exitcode
        return None if code == 255 else code
