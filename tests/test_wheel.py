"""The built wheel as its users have it: outside a checkout, from an empty folder, to the end of a study."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

UV = Path(sys.executable).parent / "uv"
FEW = ("--trials", "2", "--epochs", "1", "--imgsz", "64")


@dataclass(frozen=True)
class Installed:
    """An installation and an empty folder."""

    python: Path
    folder: Path

    def hpo(self, *words: str) -> str:
        own = {"PYTHONPATH", "HPO_HOME", "HPO_STORAGE", "MLFLOW_TRACKING_URI"}
        kept = {name: value for name, value in os.environ.items() if name not in own}
        command = [str(self.python.parent / "hpo"), *words]
        done = subprocess.run(
            command, cwd=self.folder, env=kept, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    return built


def _install(python: Path, wheel: Path) -> None:
    if not UV.exists():
        pytest.skip("no uv beside this Python: `make dev` installs one")
    command = [str(UV), "pip", "install", "--quiet", "--no-deps", "--python", str(python), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def beside(wheel: Path, tmp_path: Path) -> Installed:
    """Install only the wheel, in an environment that sees the installed libraries but not the checkout."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = tmp_path / "venv" / "lib" / version / "site-packages"
    libraries = [path for path in sys.path if path.endswith("site-packages") and Path(path) != own]
    (own / "libraries.pth").write_text("\n".join(dict.fromkeys([*libraries, sysconfig.get_path("purelib")])) + "\n")
    _install(python, wheel)
    return Installed(python, _empty(tmp_path))


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _from_nothing_to_a_best_trial(installed: Installed, *overrides: str) -> None:
    where = "import hpo; print(hpo.__file__)"
    found = subprocess.run(
        [installed.python, "-c", where], capture_output=True, text=True, check=True, cwd=installed.folder
    )
    assert not Path(found.stdout.strip()).is_relative_to(ROOT)
    assert "commit" in installed.hpo("--version") or not (ROOT / ".git").exists()
    assert "next: hpo init" in installed.hpo("data", "demo")
    installed.hpo("init", "--data", "data/digits/data.yaml", "--model", "yolov8-w0625-r4.yaml", *FEW)
    installed.hpo("run", "study.yaml", *overrides)
    trials = json.loads(installed.hpo("trials", "--json"))
    assert [trial["state"] for trial in trials] == ["COMPLETE", "COMPLETE"]
    assert json.loads(installed.hpo("best", "--json"))["value"] >= 0.0


@pytest.mark.long
def test_the_wheel_takes_a_newcomer_from_an_empty_folder_to_a_best_trial(beside: Installed) -> None:
    # without a sweep: its kernels would be compiled anew for this installation
    _from_nothing_to_a_best_trial(beside, "objective=map50_95", "postprocess=none")


def test_the_wheel_holds_the_shipped_spaces_and_models(wheel: Path) -> None:
    import zipfile

    names = zipfile.ZipFile(wheel).namelist()
    for file in (ROOT / "configs").rglob("*.yaml"):
        assert f"hpo/_configs/{file.relative_to(ROOT / 'configs')}" in names


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_with_what_the_lock_names_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    if not UV.exists():
        pytest.skip("no uv beside this Python: `make dev` installs one")
    if shutil.disk_usage(tmp_path).free < 20e9:
        pytest.skip("the locked libraries need 20 GB of free disk")
    target = tmp_path / "locked"
    venv.create(target, with_pip=False)
    python = target / "bin" / "python"
    install = [str(UV), "pip", "install", "--quiet", "--python", str(python), "--require-hashes"]
    subprocess.run([*install, "-r", str(ROOT / "requirements.lock")], check=True, capture_output=True)
    _install(python, wheel)
    _from_nothing_to_a_best_trial(Installed(python, _empty(tmp_path)))
