"""What is hostile or damaged ends in words and an exit code at the command line, whatever it is.

The commands run in this process: only files, arguments and rows are hostile here, and none of them trains. Attacks on
trainings are in ``tests/training/test_trust.py``, those on roles and rows of other nodes beside the tests of roles and
uploads.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpo.cli.main import LAST_RESORT, answer
from hpo.study.database.storage import open_storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls
from hpo.study.studies.lifecycle import create_or_join
from hpo.trial.vocabulary import Reason
from tests.dataset.conftest import write_dataset
from tests.study.support import FACTS, IDENTITY, admit, admit_only, ended, study_spec, train

Say = Callable[..., str]
HOSTILE = "[/x] [bold]\x1b]0;mine\x07\x9b31m\u202e\u200f a$b^c_d^e$ <script>x</script> `|` [a](javascript:b)"
OBEYED = frozenset("\x1b\x07\x9b\u202e\u200f")
NO_DATASETS = (
    "[]",
    "{}",
    '{"names": [], "splits": [1]}',
    '{"names": 3, "splits": {}}',
    '{"names": [], "splits": {"val": {}}}',
)
STUDY = """\
name: hostile
data: data.yaml
model: yolov8n.yaml
train: {epochs: 20, imgsz: 64, optimizer: SGD}
space: [{lr0: {low: 1e-4, high: 1e-1, log: true}}]
"""


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Return a function that runs a command below ``tmp_path`` and returns what it printed; it asserts what no
    command may do.
    """
    write_dataset(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPO_HOME", str(tmp_path / "runs"))
    for name in ("HPO_STORAGE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str, code: int) -> str:
        found = answer(words)
        printed = "".join(capsys.readouterr())
        assert found == code, printed
        assert not OBEYED & set(printed)
        assert "Traceback" not in printed
        assert LAST_RESORT not in printed
        return printed

    return run


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with two studies, each with a trained trial and a lost one that says what it likes."""
    file = tmp_path_factory.mktemp("attacks") / "hpo.db"
    facts = replace(FACTS, dataset={"yaml": HOSTILE, "names": [HOSTILE, "b"], "splits": {}})
    with open_storage(f"sqlite:///{file}", create=True) as storage:
        for name in ("one", "two"):
            study = create_or_join(storage, study_spec(name=name, trials=3), IDENTITY, facts)
            with WorkerSession(storage, study, HOSTILE, None) as session:
                train(session, admit_only(session))
                lost = admit(session)
                session.end(lost.token, ended(Reason.CRASH, detail=HOSTILE))
            controls.note(storage, study, HOSTILE, HOSTILE, {HOSTILE: HOSTILE})
    with sqlite3.connect(file) as base:
        base.execute("PRAGMA journal_mode=DELETE")
    return file


@pytest.fixture
def change(say: Say, stored: Path, tmp_path: Path) -> Callable[..., None]:
    """Return a function that changes the rows of the first study."""
    (tmp_path / "runs").mkdir()
    file = shutil.copyfile(stored, tmp_path / "runs" / "hpo.db")

    def update(table: str, column: str, value: object) -> None:
        whose = "name = 'one'" if table == "hpo_studies" else "study_id = (select id from hpo_studies where name='one')"
        with sqlite3.connect(file) as base:
            base.execute(f"update {table} set {column} = ? where {whose}", (value,))  # noqa: S608

    return update


def test_what_other_nodes_have_written_is_text_on_every_page(
    say: Say, change: Callable[..., None], tmp_path: Path
) -> None:
    change("hpo_studies", "control_reason", HOSTILE)
    for command in ("status", "trials", "best"):
        assert say(command, "one", code=0)
    shown = say("trial", "one", "1", code=0)
    assert r"[/x] [bold]\x1b]0;mine" in shown


@pytest.mark.long
@pytest.mark.parametrize("form", ["html", "md"])
def test_what_other_nodes_have_written_is_text_in_a_report(
    say: Say, change: Callable[..., None], tmp_path: Path, form: str
) -> None:
    change("hpo_trials", "detail", HOSTILE)
    assert f"wrote r.{form}" in say("report", "one", "--output", f"r.{form}", code=0)
    told = (tmp_path / f"r.{form}").read_text()
    assert not OBEYED & set(told)
    assert "<script>x" not in told.replace(r"\<script", "")
    assert "[a](javascript" not in told or form == "html"


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("hpo_studies", "spec", '{"name": "one", "da'),
        ("hpo_studies", "facts", "[" * 5000),
        *(
            ("hpo_studies", "facts", f'{{"model_yaml": "x", "versions": {{}}, "dataset": {text}}}')
            for text in NO_DATASETS
        ),
        ("hpo_studies", "created_at", "2024-02-30 00:00:00"),
        ("hpo_trials", "value", "much"),
        ("hpo_trials", "metrics", "\x00"),
        ("hpo_attempts", "effective", "{"),
    ],
)
def test_a_damaged_row_is_told_with_study_and_column_and_other_studies_go_on(
    say: Say, change: Callable[..., None], table: str, column: str, value: str
) -> None:
    change(table, column, value)
    for command in ("status", "trials", "best"):
        said = say(command, "one", code=4)
        assert "'one'" in said
        assert "backup" in said
    assert say("status", "two", code=0)


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_json_is_json_whatever_the_numbers_are(say: Say, change: Callable[..., None], value: float) -> None:
    change("hpo_trials", "value", value)

    def refuse(word: str) -> None:
        raise AssertionError(word)

    for command in ("status", "trials"):
        assert json.loads(say(command, "one", "--json", code=0), parse_constant=refuse)


def test_a_study_whose_name_leads_to_another_folder_deletes_nothing(
    say: Say, change: Callable[..., None], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    change("hpo_studies", "name", "../../mine")
    assert "no name of a study" in say("delete", "../../mine", "--yes", code=4)
    assert mine.is_dir()
    assert say("delete", "two", "--yes", code=0)
    assert "no name of a study" in say("delete", "--yes", code=4)  # the only one that is left
    assert mine.is_dir()


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def endless(path: Path) -> None:
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("name", ["study.yaml", "data.yaml", "images/train/a.jpg", "labels/train/a.txt", "mine.yaml"])
@pytest.mark.parametrize("make", [pipe, device, endless])
def test_a_file_without_end_is_refused_and_nobody_waits(
    say: Say, tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    make(tmp_path / name)
    more = ["model=mine.yaml"] if name == "mine.yaml" else []
    assert Path(name).name in say("validate", "study.yaml", *more, code=2)


@pytest.mark.parametrize("variable", ["HPO_STORAGE_FILE", "HPO_STORAGE_PASSWORD_FILE", "MLFLOW_TRACKING_PASSWORD_FILE"])
def test_a_secret_without_end_is_refused(say: Say, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "/dev/zero")
    assert f"{variable}=/dev/zero: is larger than" in say("status", code=2)


def test_names_of_classes_and_files_are_text(say: Say, tmp_path: Path) -> None:
    names = [HOSTILE, "../../x"]
    (tmp_path / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames: {json.dumps(names)}\n")
    (tmp_path / "labels" / "train" / "b\x1b]0;x\x07\u202e[x].txt").write_text("9 0 0 0 0\n")
    (tmp_path / "images" / "train" / "b\x1b]0;x\x07\u202e[x].jpg").write_bytes(b"no image")
    assert r"b\x1b]0;x" in say("data", "check", "data.yaml", code=2)


BEYOND: list[Any] = [
    *(
        "budget.trials=true",
        "budget.trials=1:30",
        "budget.hours=2024-02-30",
        "budget.hours=.nan",
    ),
    *("train.epochs=true", "train.box=1e308", "train.batch=.nan", "train.imgsz=100000000", "train.seed=-1"),
    *("recovery.lease_s=1e308", "recovery.checkpoint_every_s=1e308", f"budget.trials={'9' * 400}", "search.seed=.inf"),
    *("space.lr0={low: .nan, high: 1}", "space.lr0={choices: [.nan, .nan]}", "space.lr0={low: 1, high: .inf}"),
    *("name=../../x", "name=/etc/x", "name=\x1b]0;x\x07", "model=file:///etc/x.pt"),
    *(f"model={'x' * 300}.pt/x", f"data={'x' * 5000}", f"space=[{'x' * 300}]", "train.pretrained=/dev/zero"),
]


@pytest.mark.parametrize("override", BEYOND)
def test_a_value_beyond_any_use_is_refused_with_its_key(say: Say, override: str) -> None:
    assert override.partition("=")[0].partition(".")[0] in say("validate", "study.yaml", override, code=2)
