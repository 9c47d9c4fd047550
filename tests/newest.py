"""``make test-next``: parity and patches on the newest Ultralytics, in a venv that also sees the locked packages.

Prints which checks failed. The exit code is 0 if everything passed or there is no newer release, 1 if a test failed, 2
if nothing could be tested (no network, no index). A release as argument is tested instead of the newest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEXT = ROOT / "build" / "next"
TESTS = (
    "tests/training/ultralytics_internals/test_registry.py",
    "tests/training/test_parity.py",
    "tests/training/ultralytics_internals",
    "tests/dataset/test_parity.py",
    "tests/studyfile/arguments/test_arguments.py",
)
VERSION = "from importlib import metadata; print(metadata.version('ultralytics'))"
UNMET = """
from importlib import metadata
from packaging.requirements import Requirement
for text in metadata.requires("ultralytics") or ():
    needed = Requirement(text)
    if needed.marker and not needed.marker.evaluate({"extra": ""}):
        continue
    try:
        met = metadata.version(needed.name) in needed.specifier
    except metadata.PackageNotFoundError:
        met = False
    if not met:
        print(f"{needed.name}{needed.specifier}")
"""


def main() -> int:
    """Return the exit code."""
    python = _make_venv()
    locked = _said(Path(sys.executable), VERSION)
    asked = f"ultralytics=={sys.argv[1]}" if len(sys.argv) > 1 else "ultralytics"
    if not _install(python, [asked]):
        print(f"test-next: {asked} could not be installed (see above; is there a network?): not tested")
        return 2
    newest = _said(python, VERSION)
    if newest == locked and asked == "ultralytics":
        print(f"test-next: {locked}, which is locked, is the newest release: nothing to test")
        return 0
    unmet = _said(python, UNMET).split()
    if unmet:
        print(f"test-next: Ultralytics {newest} asks for {', '.join(unmet)}, which the lock has not")
        if not _install(python, unmet):
            print("test-next: that could not be installed: not tested")
            return 2
    print(f"test-next: Ultralytics {newest} in build/next (locked: {locked})", flush=True)
    tested = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS], cwd=ROOT, check=False)
    if tested.returncode:
        print(f"test-next: Ultralytics {newest} is not what hpo knows: the tests above say where; see CONTRIBUTING.md")
        return 1
    print(f"test-next: everything passed: the pin can be raised to {newest} (see CONTRIBUTING.md)")
    return 0


def _make_venv() -> Path:
    """Return the Python of a venv; its own packages come first, then this interpreter's and the checkout."""
    shutil.rmtree(NEXT, ignore_errors=True)
    venv.create(NEXT, with_pip=False)
    python = NEXT / "bin" / "python"
    own = Path(_said(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    others = [path for path in sys.path if path and "site-packages" in path]
    (own / "locked.pth").write_text("\n".join([str(ROOT), *others]) + "\n")
    return python


def _install(python: Path, packages: list[str]) -> bool:
    """Install only these packages: their dependencies are there already, or are named separately."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv") or "uv"
    command = [uv, "pip", "install", "--quiet", "--python", str(python), "--no-deps", "--upgrade", *packages]
    try:
        return subprocess.run(command, check=False).returncode == 0
    except FileNotFoundError:
        print("test-next: uv is not there; `make dev` installs it")
        return False


def _said(python: Path, code: str) -> str:
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
