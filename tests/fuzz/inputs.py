"""Hypothesis' strategies: real files with a few mutations, and command lines of real and wrong words."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from hpo.studyfile.arguments import arguments
from tests.conftest import ROOT

STUDIES = sorted((ROOT / "studies").glob("*.yaml"))
MODELS = sorted((ROOT / "configs/models").glob("*.yaml"))
DATA = b"path: .\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n"
STUDY = b"""name: fuzzed
data: data.yaml
model: yolov8n.yaml
train: {epochs: 20, optimizer: SGD, imgsz: 64}
space:
  - yolov8-core
  - lr0: {low: 1e-4, high: 1e-1, log: true}
    batch: {choices: [8, 16]}
objective: recall at precision >= 0.9
search: {sampler: {name: tpe, n_startup_trials: 10}, pruner: median, enqueue: [{lr0: 0.01}]}
budget: {trials: 20, hours: 3}
recovery: {hung_s: 600, lease_s: 60}
confirm: {top: 3, seeds: 3}
"""
TOKENS = [
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"- ",
        b"? ",
        b": ",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!python/object:os.system ",
        b"|\n",
        b">\n",
    ),
    *(
        b"'",
        b'"',
        b"#",
        b"%YAML 9.9\n",
        b"---\n",
        b"...\n",
        b"\t",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x1b]0;x\x07",
    ),
    *(b"1e308", b"-1", b"0", b".nan", b".inf", b"1" + b"0" * 400, b"2024-02-30", b"99:99:99", b"0x", b"0o9", b"true"),
    *(b"null", b"~", b"/dev/zero", b"/dev/stdin", b"/dev/null", b"../x", b"a" * 300, b"a" * 5000, b"\n"),
    *(b"$x^{$", b"[/x]", b"\\ud800", b'"\\0"', b"1_0", b"[[[[", b"x: " * 20, b"\xe2\x80\xae", b"${HOME}", b"%s%n"),
]
_PLACE = st.floats(0, 1, exclude_max=True)
_CHANGE = st.one_of(
    st.tuples(st.just("insert"), _PLACE, st.sampled_from(TOKENS)),
    st.tuples(st.just("insert"), _PLACE, st.binary(max_size=4)),
    st.tuples(st.just("repeat"), _PLACE, st.sampled_from(TOKENS)),
    st.tuples(st.just("cut"), _PLACE, st.just(b"")),
    st.tuples(st.just("line"), _PLACE, st.just(b"")),
    st.tuples(st.just("value"), _PLACE, st.sampled_from(TOKENS)),
    st.tuples(st.just("twice"), _PLACE, st.just(b"")),
)
Change = tuple[str, float, bytes]


def mutated(content: bytes, changes: list[Change]) -> bytes:
    """Return ``content`` with all changes made, one after the other."""
    for what, where, token in changes:
        at = int(where * len(content))
        line = content.rfind(b"\n", 0, at) + 1
        end = content.find(b"\n", at) if content.find(b"\n", at) >= 0 else len(content)
        match what:
            case "insert":
                content = content[:at] + token + content[at:]
            case "repeat":
                content = content[:at] + token * 3000 + content[at:]
            case "cut":
                content = content[:at]
            case "line":
                content = content[:line] + content[end:]
            case "value":
                colon = content.find(b":", line, end)
                content = content if colon < 0 else content[: colon + 1] + b" " + token + content[end:]
            case "twice":
                content = content[:end] + b"\n" + content[line:end] * 2 + content[end:]
            case _:
                raise AssertionError(what)
    return content


def files_like(contents: list[bytes]) -> st.SearchStrategy[bytes]:
    changes = st.lists(_CHANGE, min_size=1, max_size=5)
    return st.builds(mutated, st.sampled_from(contents), changes)


studies = files_like([STUDY, *(file.read_bytes() for file in STUDIES)])
data_files = files_like([DATA])
models = files_like([file.read_bytes() for file in MODELS])

COMMANDS = (
    *(
        "validate",
        "schema",
        "status",
        "trials",
        "trial",
        "best",
        "report",
        "pause",
        "resume",
        "stop",
        "cancel",
        "update",
    ),
    *("delete", "db", "init", "confirm", "promote", "sync", "nothing"),
)
"""Commands that start no server and no training where there is no study."""
_OPTIONS = (
    *("--json", "--help", "--debug", "--data", "--storage", "--env-file", "--output", "--format", "--sort", "--save"),
    *("--yes", "--top", "--seeds", "--trial", "--model", "--trials", "--hours", "--epochs", "--imgsz", "--name", "--"),
)
_WORDS = (
    *("study.yaml", "data.yaml", "folder", "none.yaml", "digits", "digits.confirm", "0", "-1", "9" * 30, "٣", "1e308"),
    *("nan", "inf", "", " ", "a" * 300, "a/" * 3000, "../..", "/", "/dev/null/x", "~nobody/x.yaml", "\x1b]0;x", "[/x]"),
    *("init", "upgrade", "backup", "restore", "value", "html", "sqlite://", "sqlite:///:memory:", "sqlite:///folder"),
    *("postgresql://u:p@ss@h/d", "postgresql://u@h:99999/d", "postgresql://u@127.0.0.1:9/d?password=s", "mysql://h"),
    *(
        "budget.trials=1e9",
        "budget.hours=nan",
        "budget.trials=" + "9" * 5000,
        "space.lr0=[[[",
        "=",
        "a=b=c",
        "train.=3",
    ),
    *(
        "space.lr0={low: 1, high: 1e308}",
        "name=" + "x" * 5000,
        "model=/dev/zero",
        "data=/dev/zero",
        "train.epochs=1e18",
    ),
    *(f"train.{name}=.nan" for name in sorted(arguments.trainable())[:5]),
)
_ANY = st.sampled_from(_WORDS) | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)
lines = st.builds(
    lambda command, words: [command, *words],
    st.sampled_from(COMMANDS),
    st.lists(st.sampled_from(_OPTIONS) | _ANY, max_size=5),
)


def lay_out(folder: Path) -> None:
    """Write the files that command lines name: a study and a dataset of three images."""
    from tests.dataset.conftest import write_dataset

    write_dataset(folder)
    (folder / "folder").mkdir(exist_ok=True)
    (folder / "study.yaml").write_bytes(STUDY)
