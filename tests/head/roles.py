"""The roles of the tests on a real server, and statements that are run as one of them."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from hpo.study.database.roles import Role, RoleKind

WORKER = Role(RoleKind.WORKER, "w_ork", "w'orker:p@ss")
READER = Role(RoleKind.READER, "reader", "reader-pass")
MLFLOW = Role(RoleKind.MLFLOW, "mlflow", "mlflow-pass")
IN_URL = {"w_ork": "w%27orker%3Ap%40ss", "reader": "reader-pass", "mlflow": "mlflow-pass"}


def execute(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def refused(url: str, statement: str) -> bool:
    with pytest.raises(DBAPIError) as caught:
        execute(url, statement)
    return getattr(caught.value.orig, "sqlstate", None) == "42501"
