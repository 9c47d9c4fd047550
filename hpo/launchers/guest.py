"""Trials started from a program that is not ours: a notebook, or a user's script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, spawn, util
from typing import Any

from hpo.launchers.forkserver import NAME, end_server


@contextmanager
def as_guest() -> Iterator[None]:
    """Restore multiprocessing at the block's end: its start function, its preload, and no forkserver with our
    environment.

    Inside the block no process of ours imports the user's main module. Otherwise a script that calls hpo without ``if
    __name__ == "__main__"`` would run again in every trial.
    """
    spawned, prepare = util.spawnv_passfds, spawn.get_preparation_data
    preloaded = list(forkserver._forkserver._preload_modules)  # type: ignore[attr-defined]  # noqa: SLF001

    def without_main(name: str) -> dict[str, Any]:
        data: dict[str, Any] = prepare(name)
        return {key: value for key, value in data.items() if name != NAME or not key.startswith("init_main_")}

    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001  (the user's has neither our environment nor our preload)
    spawn.get_preparation_data = without_main
    try:
        yield
    finally:
        spawn.get_preparation_data = prepare
        util.spawnv_passfds = spawned
        end_server()
        forkserver.set_forkserver_preload(preloaded)
