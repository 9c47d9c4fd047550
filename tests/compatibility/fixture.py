"""The stored products of an older version: they are unpacked into a test's folder and read from it.

Everything was made in ``PLACE``, and all texts contain this path; ``unpack`` and ``fill_postgres`` replace it by the
folder's path. Weights and checkpoints stay as they are, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

PRODUCTS = Path(__file__).with_name("fixture_46f6ae8")
ROOT = Path(__file__).parents[2]
PLACE = "/fixture"
"""The folder in which the products were made."""
HOME = "home"
"""Folder of $HPO_HOME within ``PLACE``."""
DATABASES = ("hpo", "mlflow")
TOLD: dict[str, tuple[str, ...]] = {
    "best going": ("best", "going"),
    "best proven": ("best", "proven"),
    "best begun": ("best", "begun"),
    "trials going": ("trials", "going"),
    "trials proven": ("trials", "proven"),
    "trials proven.confirm": ("trials", "proven.confirm"),
    "trials begun.confirm": ("trials", "begun.confirm"),
    "trial of the waiting attempt": ("trial", "going", "3"),
    "status going": ("status", "going"),
    "status proven": ("status", "proven"),
    "status begun": ("status", "begun"),
}
"""Commands that only read, by the name under which expected.json holds their ``--json`` output."""
CONFIRM = ("confirm", "proven", "--json")
SYNC: dict[str, tuple[str, ...]] = {name: ("sync", name) for name in ("going", "proven", "begun")}
DETECTS = """\
import json, sys
from pathlib import Path
import mlflow, numpy as np
from PIL import Image

home, data = map(Path, sys.argv[1:])
mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
model = mlflow.pyfunc.load_model("models:/proven@champion")
files = sorted((data / "images" / "test").iterdir())[:4]
found = model.predict(np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]))
print(json.dumps({"columns": list(found.columns), "rows": found.values.tolist()}))
"""
"""A program that loads the registered model as its users do, and runs it on four images of the test split."""


SEVERAL = """\
import contextlib, io, json, runpy, sys

said = {}
for name, words in json.load(sys.stdin).items():
    sys.argv = ["hpo", *words, "--json"]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_module("hpo", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    said[name] = json.loads(out.getvalue())
print(json.dumps(said))
"""
"""A program that runs commands one after another, like ``python -m hpo``: importing takes longer than the commands."""


def unpack(folder: Path) -> None:
    """Unpack the files, MLflow's store and the SQLite database."""
    with tarfile.open(PRODUCTS / "files.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    for file in filter(Path.is_file, folder.rglob("*")):
        content = file.read_bytes()
        if PLACE.encode() in content and is_text(content):
            file.write_text(content.decode().replace(PLACE, str(folder)))
    for name in DATABASES:
        with closing(sqlite3.connect(folder / HOME / f"{name}.db")) as store:
            store.execute("PRAGMA journal_mode=WAL")
            store.executescript(_sql(name, folder))
    with closing(sqlite3.connect(folder / HOME / "hpo.db")) as store, store:
        for study_id, digest in _digests(store.execute("SELECT id, spec FROM hpo_studies").fetchall()):
            for statement in _digest_updates("?"):
                store.execute(statement, (digest, study_id))


def fill_postgres(url: str, folder: Path) -> None:
    """Write the same content to an empty PostgreSQL database."""
    import psycopg

    with psycopg.connect(url) as store:
        store.execute(_sql("hpo.postgres", folder).encode())
        store.execute("SET search_path TO public")
        for study_id, digest in _digests(store.execute("SELECT id, spec FROM hpo_studies").fetchall()):
            for statement in _digest_updates("%s"):
                store.execute(statement.encode(), (digest, study_id))


def is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _sql(name: str, folder: Path) -> str:
    return lzma.decompress((PRODUCTS / f"{name}.sql.xz").read_bytes()).decode().replace(PLACE, str(folder))


def _digests(specs: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Give each study's id and new digest: the digest is made of canonical JSON with absolute paths."""
    for study_id, spec in specs:
        yield study_id, hashlib.sha256(spec.encode()).hexdigest()


def _digest_updates(mark: str) -> tuple[str, str]:
    where = f"study_id = {mark} AND key = 'spec_sha256'"
    return (
        f"UPDATE hpo_studies SET spec_sha256 = {mark} WHERE id = {mark}",  # noqa: S608
        f"UPDATE study_user_attributes SET value_json = '\"' || {mark} || '\"' WHERE {where}",  # noqa: S608
    )


def environment(folder: Path, **more: str) -> dict[str, str]:
    own = {"HPO_STORAGE", "MLFLOW_TRACKING_URI", "HPO_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    given = {"PYTHONPATH": str(ROOT), "HPO_HOME": str(folder / HOME), "CUDA_VISIBLE_DEVICES": ""}
    return kept | given | more


def hpo(folder: Path, *words: str | Path, code: int = 0, **variables: str) -> str:
    """Return the command's stdout; its exit code must be ``code``."""
    return _python(folder, ["-m", "hpo", *map(str, words)], variables, code=code)


def told(folder: Path, commands: dict[str, tuple[str, ...]], **variables: str) -> dict[str, Any]:
    """Return the ``--json`` output of each command, with ``PLACE`` instead of the folder."""
    said = _python(folder, ["-c", SEVERAL], variables, given=json.dumps(commands))
    found: dict[str, Any] = json.loads(said.replace(str(folder), PLACE))
    return found


def detected(folder: Path) -> dict[str, Any]:
    """Return the detections of the registered model."""
    said = _python(folder, ["-c", DETECTS, str(folder / HOME), str(folder / "data")], {})
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def _python(folder: Path, words: list[str], variables: dict[str, str], *, code: int = 0, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder, env=environment(folder, **variables), input=given,
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def held(folder: Path) -> dict[str, Any]:
    """Return the content of MLflow's store: the active runs by key, and the registered models."""
    with closing(sqlite3.connect(folder / HOME / "mlflow.db")) as store:
        runs = dict(_runs(store))
        sql = "SELECT v.name, v.version, a.alias FROM model_versions v LEFT JOIN registered_model_aliases a " \
              "ON a.name = v.name AND a.version = v.version ORDER BY 1, 2, 3"  # fmt: skip
        models = [list(row) for row in store.execute(sql)]
    return json.loads(json.dumps({"runs": runs, "models": models}).replace(str(folder), PLACE))  # type: ignore[no-any-return]


def forget_mlflow(folder: Path) -> None:
    """Remove MLflow's store, as after its loss."""
    for file in (folder / HOME).glob("mlflow.db*"):
        file.unlink()
    shutil.rmtree(folder / HOME / "mlartifacts")


def _runs(store: sqlite3.Connection) -> Iterator[tuple[str, dict[str, Any]]]:
    sql = "SELECT run_uuid, name, status FROM runs WHERE lifecycle_stage = 'active'"
    for run_id, name, status in store.execute(sql).fetchall():
        tags = dict(store.execute("SELECT key, value FROM tags WHERE run_uuid = ? ORDER BY 1", (run_id,)))
        metrics = "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY 1, 2, timestamp, 3"
        yield (
            tags["hpo.trial"],
            {
                "name": name,
                "status": status,
                "tags": tags,
                "params": dict(store.execute("SELECT key, value FROM params WHERE run_uuid = ? ORDER BY 1", (run_id,))),
                "metrics": [list(row) for row in store.execute(metrics, (run_id,))],
            },
        )
