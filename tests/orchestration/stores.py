"""An artifact store that is a folder, and that can be down, be slow or kill the process."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path

from typing_extensions import override

from hpo.errors import HpoError, OutsideStore, StorageUnavailable
from hpo.trial.ports import CheckpointStore


class FolderStore(CheckpointStore):
    def __init__(self, root: Path) -> None:
        self.root = root
        self.away = False
        self.tries = 0
        self.gate = threading.Event()
        """Event that each upload waits for."""
        self.gate.set()

    def _reach(self) -> None:
        self.tries += 1
        if self.away:
            raise StorageUnavailable("the store is away")

    @override
    def put(self, file: Path, folder: str) -> str:
        self._reach()
        assert self.gate.wait(60)
        target = self.root / folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        return str(target)

    @override
    def fetch(self, location: str, target: Path) -> None:
        self._reach()
        if not Path(location).exists():
            raise HpoError(f"{location}: is not there")
        shutil.copyfile(location, target)

    @override
    def delete(self, location: str) -> None:
        self._reach()
        if not Path(location).is_relative_to(self.root):
            raise OutsideStore(f"{location}: lies outside of {self.root}")
        if Path(location).is_dir():
            shutil.rmtree(location)
        else:
            Path(location).unlink(missing_ok=True)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.root.rglob("*") if path.is_file())


class DeadlyStore(FolderStore):
    """Store that kills the process once its upload is complete, before anything has recorded the upload."""

    @override
    def put(self, file: Path, folder: str) -> str:
        super().put(file, folder)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still here")


def never(_pause_s: float = 0) -> bool:
    return False
