"""A method needs one row and one implementation, nothing else.

A copy of ``hpo`` gets a pruner and a kind of suppression. Without the implementation, a check names the place where it
is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import LONGEST_S, STUDY, Shell
from tests.conftest import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

PRUNER_ROW = """\
    "wilcoxon": PrunerRow(
        "WilcoxonPruner",
        "stops what a signed-rank test finds worse than the best",
        {"p_threshold": SHARE, "n_startup_steps": COUNT},
        schedule=Every("n_startup_steps"),
        defaults={"n_startup_steps": Follows.FIRST},
    ),
"""
PRUNER_CLASS = '    "wilcoxon": pruners.WilcoxonPruner,\n'
KIND_ROW = """\
    GIOU = "giou", KindRow(
        "hard NMS on generalized IoU", paper=("Rezatofighi et al. 2019", "https://arxiv.org/abs/1902.09630")
    )
"""
KIND_CASE = """\
        case Kind.GIOU:
            return Suppressor(_giou)
"""
KIND_CODE = '''

def _giou(predictions: Predictions, first: int, last: int, points: Sequence[OperatingPoint]) -> list[Candidates]:
    (point,) = points
    assert point.iou is not None
    block = _block(predictions, first, last)
    scores = block.scores.astype(np.float64)
    for begin, end in zip(block.offsets[:-1], block.offsets[1:], strict=True):
        for row in range(begin, end):
            kept = np.flatnonzero((scores[begin:row] > 0) & (block.classes[begin:row] == block.classes[row])) + begin
            if len(kept) and _generalized(block.boxes[kept], block.boxes[row]).max() > point.iou:
                scores[row] = 0.0
    images = np.repeat(np.arange(last - first), np.diff(block.offsets))
    return [_ranked(block.boxes, scores, block.classes, images, point.max_det, last - first)]


def _generalized(boxes: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float64]:
    """IoU less the share of the smallest enclosing box that neither covers."""
    some, one = boxes.astype(np.float64), box.astype(np.float64)
    sides = np.minimum(some[:, 2:], one[2:]) - np.maximum(some[:, :2], one[:2])
    around = (np.maximum(some[:, 2:], one[2:]) - np.minimum(some[:, :2], one[:2])).prod(1)
    inter = sides.clip(0).prod(1)
    union = (some[:, 2:] - some[:, :2]).prod(1) + (one[2:] - one[:2]).prod() - inter
    found: NDArray[np.float64] = inter / union - (around - union) / around
    return found
'''
BUILD = """
import sys
from pathlib import Path
from hpo.study.search.pruning import build_pruner
from hpo.studyfile.loader import load_file
pruner = build_pruner(load_file(Path(sys.argv[1])))
print(type(pruner).__name__, pruner._p_threshold, pruner._n_startup_steps)
"""
PREDICT = """
import sys
from hpo import deploy
detector = deploy.load(*sys.argv[1:3], device="cpu")
print(detector.point.kind, len(detector.predict(sys.argv[3])))
"""


@dataclass(frozen=True)
class Copy:
    """A separate checkout."""

    folder: Path

    def insert(self, file: str, text: str, *, before: str) -> None:
        path = self.folder / file
        assert path.read_text().count(before) == 1, (file, before)
        path.write_text(path.read_text().replace(before, text + before))

    def append(self, file: str, text: str) -> None:
        with (self.folder / file).open("a") as out:
            out.write(text)

    def python(self, *words: str | Path, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def shell(self, folder: Path) -> Shell:
        folder.mkdir()
        return Shell(folder, {"PYTHONPATH": str(self.folder)})


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    folder = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for part in ("hpo", "tests", "configs"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    return Copy(folder)


def test_a_pruner_is_added_by_one_row_and_one_class(copy: Copy, tiny: Path, trained: Path, tmp_path: Path) -> None:
    copy.insert("hpo/studyfile/methods/pruners.py", PRUNER_ROW, before='    "none": PrunerRow(')
    named = (
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/study/search/test_pruning.py",
        "-k",
        "has_its_class",
    )
    said = copy.python(*named, code=1)
    assert "hpo.study.search.pruning.CLASSES" in said
    assert "wilcoxon" in said
    copy.insert("hpo/study/search/pruning.py", PRUNER_CLASS, before='    "none": pruners.NopPruner')
    copy.python(*named)

    shell = copy.shell(tmp_path / "shell")
    text = STUDY.format(name="small", data=tiny, model=trained, more="")
    (shell.folder / "small.yaml").write_text(
        text.replace("pruner: none", "pruner: {name: wilcoxon, p_threshold: 0.4}").replace("epochs: 3", "epochs: 20")
    )
    page = " ".join(shell.run("validate", "small.yaml").split())
    assert "wilcoxon (p_threshold 0.4): may stop a trial after epoch 6, 7, 8" in page
    assert copy.python("-c", BUILD, shell.folder / "small.yaml").split() == ["WilcoxonPruner", "0.4", "6"]


def test_a_kind_of_suppression_is_added_by_one_row_and_one_function(
    copy: Copy, tiny: Path, trained: Path, tmp_path: Path
) -> None:
    copy.insert("hpo/trial/kinds.py", KIND_ROW, before="    # without `nms: false`")
    mypy = ("-m", "mypy", "--cache-dir", copy.folder / "cache", "hpo/detection/kinds.py")
    said = copy.python(*mypy, code=1)
    assert "hpo/detection/kinds.py" in said
    assert "Kind.GIOU" in said
    copy.insert("hpo/detection/kinds.py", KIND_CASE, before="        case Kind.NONE:\n")
    copy.append("hpo/detection/kinds.py", KIND_CODE)
    copy.python(*mypy)

    shell = copy.shell(tmp_path / "shell")
    _choose(shell, tiny, trained)
    page = " ".join(shell.run("validate", "small.yaml").split())
    assert "NMS giou `yolo predict` can't do giou: where such a setting wins, it deploys through hpo.deploy" in page

    shell.run("run", "small.yaml")
    baseline, trial = shell.json("trials", "small")
    assert baseline["operating_point"]["kind"] == "hard"
    assert trial["operating_point"]["kind"] == trial["sweep"]["best"]["kind"] == "giou"
    _is_handed_over(copy, shell, tiny)


def _choose(shell: Shell, data: Path, model: Path) -> None:
    """Write a small study of the kind. It allows fewer false positives than Ultralytics' defaults have."""
    more = "postprocess: {mode: swept, kinds: [giou]}\n"
    study = STUDY.format(name="small", data=data, model=model, more=more)
    changes = {
        "objective: map50": "objective: f1 at fp_per_image <= 0.1",
        "epochs: 3, imgsz: 64": "epochs: 2, imgsz: 96",
        "mosaic: {low: 0, high: 1}": "iou: {choices: [0.3, 0.6]}",
        "trials: 4": "trials: 2",
    }
    for before, after in changes.items():
        assert before in study
        study = study.replace(before, after)
    (shell.folder / "small.yaml").write_text(study)


def _is_handed_over(copy: Copy, shell: Shell, data: Path) -> None:
    best = shell.json("best", "small", "--save", "best")
    assert (best["number"], best["predict"], best["sweep"]["recommended"]) == (1, None, "best")
    told = shell.json("promote", "small", "--output", "winner", "--no-register")
    assert told["operating_point"]["kind"] == "giou"
    card = (shell.folder / "winner" / "model-card.md").read_text()
    assert "`giou` is hard NMS on generalized IoU ([Rezatofighi et al. 2019](https://arxiv.org/abs/1902.09630))" in card
    assert "`yolo predict` can't do that: `hpo.deploy` does." in card
    assert "yolo predict cfg" not in card
    images = data.parent / "images" / "val"
    for folder in ("best", "winner"):
        assert not (shell.folder / folder / "predict.yaml").exists()
        files = [shell.folder / folder / name for name in ("best.pt", "operating_point.json")]
        said = copy.python("-c", PREDICT, *files, images)
        assert said.splitlines()[-1].split() == ["giou", str(len(list(images.iterdir())))]
        assert json.loads(files[1].read_text())
