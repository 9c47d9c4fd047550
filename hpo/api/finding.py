"""Find a stored study by its name or its file."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import UsageError
from hpo.settings import Settings, load_settings

if TYPE_CHECKING:
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow

ENDINGS = (".yaml", ".yml")
"""What a study file's name ends in; everything else is a study's name."""


@contextmanager
def stored() -> Iterator[tuple[Settings, Storage]]:
    """Open the existing database that the environment names.

    Yields:
        The settings, and the open database.

    Raises:
        UsageError: There is no database yet.
        StorageUnavailable: It can't be reached.
    """
    from hpo.study.database.storage import open_storage

    settings = load_settings()
    with open_storage(settings.storage_url, create=False, home=settings.home) as storage:
        yield settings, storage


def find_study(storage: Storage, name: str | None) -> StudyRow:
    """Find the study that ``name`` means.

    Args:
        storage: An open database.
        name: A stored name, a study file, or None where the database holds one study.

    Returns:
        The stored study.

    Raises:
        UsageError: No study has this name, or ``name`` is None and there is not exactly one.
    """
    from hpo.study.studies import lifecycle

    if name is None:
        names = lifecycle.names(storage)
        if len(names) != 1:
            listed = ", ".join(names) if names else "none; make one with: hpo run FILE"
            raise UsageError(f"which study? The database holds {len(names)}: {listed}")
        return lifecycle.load(storage, names[0])
    return lifecycle.load(storage, name_of(name))


@contextmanager
def stored_study(name: str | None) -> Iterator[tuple[Settings, Storage, StudyRow]]:
    """Open the existing database that the environment names, and find a study in it.

    Args:
        name: A stored name, a study file, or None where the database holds one study.

    Yields:
        The settings, the open database, and the study.

    Raises:
        UsageError: There is no database yet, or no such study.
        StorageUnavailable: It can't be reached.
    """
    with stored() as (settings, storage):
        yield settings, storage, find_study(storage, name)


def name_of(study: str) -> str:
    """Return the name of a study that is given by its name or by its file.

    Args:
        study: A name, or the path of a study file (it ends in .yaml or .yml).

    Returns:
        The name.

    Raises:
        UsageError: The file can't be read, or holds no name.
    """
    return name_in_file(Path(study)) if study.endswith(ENDINGS) else study


def name_in_file(path: Path) -> str:
    """Return the ``name`` of a study file; the rest of it need not be valid any more.

    Args:
        path: The study file.

    Returns:
        The value of its key ``name``.

    Raises:
        UsageError: The file can't be read, or holds no name.
    """
    from hpo.yamlfile.document import plain, read_document
    from hpo.yamlfile.report import ProblemReport

    report = ProblemReport()
    document = read_document(path, report)
    if document is None and report.problems:
        raise UsageError(f"{report.problems[0]}: give a study's name or its file")
    found = None if document is None else plain(document)
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str):
        raise UsageError(f"{path}: holds no `name`; give a study's name or its file")
    return name


def who() -> str:
    """Name the person at this machine, as it is noted beside what they change.

    Returns:
        ``user@machine``.
    """
    return f"{getpass.getuser()}@{platform.node()}"
