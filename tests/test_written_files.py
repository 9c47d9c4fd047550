"""Every file that others may wait for is written by the one writer: aside, under a new name, never through a link."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpo.head import passwords
from hpo.head.postgres import Cluster, Listening
from hpo.orchestration import handover
from hpo.studyfile.text.ultralytics_yaml import write_arguments
from hpo.training import environment
from hpo.trial import checkpoints
from hpo.trial.paths import AttemptPaths
from tests.conftest import ROOT
from tests.orchestration.test_handover import STUDY, complete
from tests.support import swept

DIRECT = {
    "hpo/dataset/digits.py": "in a folder with a random name, which is renamed into place",
    "hpo/promotion/folder.py": "in a folder with a random name, which is renamed into place",
    "hpo/promotion/promote.py": "in a folder with a random name, which is renamed into place",
    "hpo/study/plots/plots.py": "in a temporary folder",
    "hpo/tracking/registry.py": "in a temporary folder",
    "hpo/training/ultralytics_internals/reading.py": "in a temporary folder",
    "hpo/head/postgres.py": "in a temporary file; the server's log",
    "hpo/wiring/drafting.py": "with O_EXCL: a file or a link that is there is refused",
    "hpo/launchers/local.py": "a log",
    "hpo/tracking/ui.py": "a log",
    "hpo/promotion/weights_process.py": "a log",
    "hpo/training/ultralytics_internals/checkpoint.py": "Ultralytics' own file, to which it appends",
    "hpo/orchestration/uploads.py": "a copy where there are no hard links, in a folder of its own",
    "hpo/processes.py": "in /proc",
    "hpo/files.py": "the writer",
}
"""Modules that write a file themselves, with the reason."""


def writes(tree: ast.Module) -> Iterator[ast.Call]:
    """Find calls that write to a path which is no new file of the writer (a name with ``aside``)."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        match call.func:
            case ast.Attribute(value=ast.Name(id="files" | "whole_files")):
                continue
            case ast.Attribute(attr="write_text" | "write_bytes", value=target):
                pass
            case ast.Attribute(attr="copyfile" | "copy" | "copy2") if len(call.args) == 2:
                target = call.args[1]
            case ast.Attribute(attr="open", value=target) if call.args and isinstance(call.args[0], ast.Constant):
                if not set(str(call.args[0].value)) & set("wax"):
                    continue
            case ast.Attribute(attr="savefig") if call.args:
                target = call.args[0]
            case _:
                continue
        if not (isinstance(target, ast.Name) and target.id in ("aside", "held")):
            yield call


def test_no_module_writes_a_file_in_another_way_without_a_reason() -> None:
    found = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "hpo").rglob("*.py")
        if any(writes(ast.parse(file.read_text(encoding="utf-8"))))
    }
    assert found == set(DIRECT) - {"hpo/files.py"}


def hand_over(folder: Path) -> None:
    trial = replace(complete(folder.parent / "study", 4), sweep=swept(), train={"imgsz": 320})
    data = folder.parent / "data.yaml"
    (folder.parent / "images").mkdir()
    data.write_text("path: .\ntrain: images\nval: images\nnames: [a]\n")
    handover.save(replace(STUDY, spec=replace(STUDY.spec, data=str(data))), trial, folder)


def write_hba(folder: Path) -> None:
    cluster = Cluster.__new__(Cluster)
    cluster.folder, cluster._user = folder, None
    cluster._write_hba(Listening("127.0.0.1", 1), ())


def font(folder: Path) -> None:
    environment._place_font(folder / "Arial.ttf")


WRITERS: dict[str, Callable[[Path], Any]] = {
    "best.pt": hand_over,
    "operating_point.json": hand_over,
    "hyperparameters.yaml": hand_over,
    "data.yaml": hand_over,
    "attempt.txt": lambda folder: AttemptPaths(folder).claim("token"),
    "predict.yaml": lambda folder: write_arguments(folder / "predict.yaml", "title", {"conf": 0.5}),
    "checkpoint-00001.pt": lambda folder: checkpoints.write(folder, 1, "owner", lambda file: file.write(b"new")),
    "checkpoint-00001.json": lambda folder: checkpoints.write(folder, 1, "owner", lambda file: file.write(b"new")),
    "password": lambda folder: passwords.write_private(folder / "password", "secret\n"),
    "pg_hba.conf": write_hba,
    "Arial.ttf": font,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_link_that_waits_at_an_output_is_replaced_and_its_target_untouched(tmp_path: Path, name: str) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "out"
    victim.write_text("precious")
    folder.mkdir()
    (folder / name).symlink_to(victim if name != "Arial.ttf" else tmp_path / "nowhere")  # one that is there stays
    WRITERS[name](folder)
    assert victim.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    assert not (folder / name).is_symlink()
    assert (folder / name).is_file()
    assert [path.name for path in folder.iterdir() if path.suffix == ".tmp"] == []
