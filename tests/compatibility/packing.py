"""Packing of make_fixture.py's results as the committed products, and recording of that version's output for them."""

from __future__ import annotations

import json
import lzma
import platform
import re
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.compatibility import postgres_dump
from tests.compatibility.fixture import (
    CONFIRM,
    DATABASES,
    HOME,
    PRODUCTS,
    SYNC,
    TOLD,
    detected,
    forget_mlflow,
    held,
    hpo,
    told,
    unpack,
)

KEPT = {
    "attempt.txt", "args.yaml", "results.csv", "ended.json", "operating_point.json", "predict.yaml", "best.pt",
    "data.yaml", "hyperparameters.yaml", "metrics.json", "model-card.md", "MLmodel", "python_env.yaml",
    "requirements.txt", "conda.yaml", "registered_model_meta",
}  # fmt: skip
"""Files that a command reads; for attempts that have not ended also the checkpoints."""


def pack(folder: Path) -> None:
    """Pack the databases as SQL, and the files that a command reads as an archive."""
    PRODUCTS.mkdir(exist_ok=True)
    for name in DATABASES:
        with closing(sqlite3.connect(folder / HOME / f"{name}.db")) as store:
            text = anonymous("\n".join(store.iterdump()))
        (PRODUCTS / f"{name}.sql.xz").write_bytes(lzma.compress(text.encode(), preset=9))
    dump = anonymous(postgres_dump.of(folder / HOME / "hpo.db"))
    (PRODUCTS / "hpo.postgres.sql.xz").write_bytes(lzma.compress(dump.encode(), preset=9))
    with tarfile.open(PRODUCTS / "files.tar.xz", "w:xz", preset=9) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and is_kept(file, file.relative_to(folder).parts):
                archive.add(file, str(file.relative_to(folder)), filter=plain)


def anonymous(text: str) -> str:
    """Return the text without the machine's name and without the id of the boot in which its processes ran."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return re.sub(rf"\b{re.escape(platform.node())}\b", "old-node", text.replace(boot, "old-boot"))


def is_kept(file: Path, parts: tuple[str, ...]) -> bool:
    """Return whether the file is packed. ``parts`` are the parts of its path below the folder."""
    if parts[0] in {"scratch", "winner"} or parts[:2] == (HOME, "cache"):
        return False
    if parts[0] != HOME:
        return True
    if file.name == "best.pt" and any(file.parent.glob("checkpoint-*.pt")):
        return False  # of an attempt that has not ended: the checkpoint holds the same
    return file.name in KEPT or file.stem == newest_checkpoint(file.parent)


def newest_checkpoint(folder: Path) -> str:
    """Return the stem of the newest checkpoint and its description; no attempt resumes from older ones."""
    found = sorted(file.stem for file in folder.glob("checkpoint-*.json"))
    return found[-1] if found else "none"


def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def record() -> None:
    """Record this version's output for the packed products."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        unpack(folder)
        expected: dict[str, Any] = {"told": told(folder, TOLD)}
        expected["confirm"] = json.loads(hpo(folder, *CONFIRM))
        expected["detected"] = detected(folder)
        expected["sync"] = told(folder, SYNC)
        expected["held"] = held(folder)
        forget_mlflow(folder)
        expected["sync into nothing"] = told(folder, SYNC)
        expected["held anew"] = held(folder)
    text = anonymous(json.dumps(expected, indent=1, sort_keys=True))
    (PRODUCTS / "expected.json.xz").write_bytes(lzma.compress(text.encode(), preset=9))
