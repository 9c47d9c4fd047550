"""``hpo up``: a head node without Docker."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from hpo.cli.terminal import say
from hpo.settings import load_settings

if TYPE_CHECKING:
    from hpo.head.node import HeadNode

PORT = click.IntRange(1, 65535)


@click.command(short_help="Serve PostgreSQL and MLflow for other nodes.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--advertise", metavar="NAME", help="How other nodes reach this one. Default: HOST, or this host's name.")
@click.option("--postgres-port", type=PORT, default=5432, show_default=True)
@click.option("--mlflow-port", type=PORT, default=5000, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Default: head in HPO_HOME.")
@click.option("--upgrade", is_flag=True, help="Back older tables up, then bring them up to date.")
def up(
    host: str, advertise: str | None, postgres_port: int, mlflow_port: int, folder: Path | None, *, upgrade: bool
) -> None:
    """Start PostgreSQL and MLflow's server here, and print the line that adds another node.

    Passwords are made by the first start and kept in the folder, in files of mode 600; started again, it goes on with
    the same data. Ctrl-C or SIGTERM ends both.
    """
    from hpo.head import node

    host = "127.0.0.1" if host == "localhost" else host
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104
    name = advertise or (socket.gethostname() if everywhere else host)
    place = (folder or load_settings().home / "head").resolve()
    plan = node.Plan(place, host, name, postgres_port, mlflow_port)
    with _until_asked_to_end():
        say("starting PostgreSQL and MLflow's server ...", err=True)
        with node.up(plan, upgrade=upgrade) as running:
            _say(running, node.WORKERS)
            running.wait()
    say(f"ended; the data stays in {place}", err=True)


def _say(node: HeadNode, workers: int) -> None:
    plan = node.plan
    say(f"postgres  {plan.advertise}:{plan.postgres_port}  (log: {plan.folder / 'postgres.log'})")
    say(f"mlflow    {node.tracking_uri}  (log: {plan.folder / 'mlflow-server.log'})")
    say(f"here      hpo run FILE --env-file {node.worker_env}")
    there = f"hpo worker STUDY --env-file {node.worker_env.name}"
    say(f"workers   up to {workers} fit")
    say(f"others    copy that file to the node (mode 600), then: {there}")
    say(f"owner     hpo delete STUDY --env-file {node.owner_env}   (on this machine only)")
    if not plan.postgres.is_loopback:
        what = f"whoever reaches {node.tracking_uri} reads and writes runs and artifacts there without a password"
        way_out = "keep both ports inside a network that you trust"
        say(f"warning: {what}, and nothing is encrypted on the way: {way_out}", err=True)
    else:
        say("only this machine can reach it; --host ADDRESS opens it to others", err=True)


@contextmanager
def _until_asked_to_end() -> Iterator[None]:
    """End the block on Ctrl-C and SIGTERM, which is its regular end; a second signal does not cut the end short."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def end(_signum: int, _frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, end) for each in signals}
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
