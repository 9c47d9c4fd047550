"""``hpo db``: tables and roles of the shared database, made by its owner."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.cli.options import json_option, print_json, store_options
from hpo.cli.terminal import say
from hpo.settings import load_settings, role_password

if TYPE_CHECKING:
    from hpo.study.studies.setup import Prepared


WORKER = "A role that reads, inserts and updates, but makes and deletes none."


@click.group()
def db() -> None:
    """Make and upgrade the tables of a shared database, and the roles that use it."""


@db.command(short_help="Make the tables, and roles of few rights.")
@click.option("--worker-role", metavar="NAME", help=WORKER)
@click.option("--reader-role", metavar="NAME", help="A role that only reads, for optuna-dashboard.")
@click.option("--mlflow-role", metavar="NAME", help="A role for MLflow's server, with a database of that name.")
@store_options
@json_option
def init(worker_role: str | None, reader_role: str | None, mlflow_role: str | None, *, as_json: bool) -> None:
    """Make the tables where there are none; make the roles, or grant to them what they need. It may be run again.

    HPO_STORAGE must name the owner of the database. Passwords of the roles come from HPO_WORKER_PASSWORD_FILE,
    HPO_READER_PASSWORD_FILE and HPO_MLFLOW_PASSWORD_FILE (or the same without _FILE); without one a role must exist
    already, and keeps its password.
    """
    from hpo.study.database.roles import Role, RoleKind
    from hpo.study.studies import setup

    named = {RoleKind.WORKER: worker_role, RoleKind.READER: reader_role, RoleKind.MLFLOW: mlflow_role}
    wanted = [Role(kind, name, role_password(kind.value)) for kind, name in named.items() if name is not None]
    done = setup.init(load_settings().storage_url, wanted)
    if as_json:
        print_json(asdict(done) | {"roles": {str(role.kind): role.name for role in wanted}})
        return
    _say(done)
    for role in wanted:
        say(f"role {role.name}: {role.kind}")


@db.command(short_help="Bring older tables up to this version.")
@store_options
@json_option
def upgrade(*, as_json: bool) -> None:
    """Bring older tables up to this version of hpo; stop the workers and back the database up first.

    A SQLite file is copied to one beside it before.
    """
    from hpo.study.studies import setup

    done = setup.upgrade(load_settings().storage_url)
    if as_json:
        print_json(asdict(done))
    else:
        _say(done)


@db.command(short_help="Write a PostgreSQL database to a file.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@store_options
def backup(folder: Path) -> None:
    """Write the database to a new file in DIR (mode 600), also while studies run. Needs the extra `server`."""
    from hpo.head.backup import dump

    say(dump(load_settings().storage_url, folder))


@db.command(short_help="Fill a fresh database from such a file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE")
@store_options
def restore(file: Path) -> None:
    """Fill the database from FILE, all or nothing; one that holds studies is refused. Its roles must exist."""
    from hpo.head.backup import restore as fill

    fill(file, load_settings().storage_url)
    say(f"restored {file}; write MLflow anew where its store was lost: hpo sync STUDY")


def _say(done: Prepared) -> None:
    if done.before is None:
        said = "made the tables"
    elif done.before == done.version:
        said = "the tables are up to date"
    else:
        said = f"upgraded the tables from schema version {done.before}"
    say(f"{done.place}: {said} (schema version {done.version})")
    if done.copy is not None:
        say(f"what it was before: {done.copy}")
