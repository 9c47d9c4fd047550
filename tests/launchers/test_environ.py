"""The environment that a trial's process gets from its worker, as the kernel reports it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpo.settings import without_secrets
from tests.conftest import ROOT

CANARY = "sesame-canary"
SECRETS = {
    "HPO_STORAGE": f"postgresql://hpo_worker:{CANARY}@127.0.0.1:9/hpo",
    "HPO_STORAGE_PASSWORD_FILE": f"/run/secrets/{CANARY}",
    "HPO_WORKER_PASSWORD": CANARY,
    "MLFLOW_TRACKING_URI": f"http://me:{CANARY}@127.0.0.1:9",
    "MLFLOW_TRACKING_USERNAME": CANARY,
    "MLFLOW_TRACKING_PASSWORD": CANARY,
    "MLFLOW_TRACKING_TOKEN": CANARY,
    "PGPASSWORD": CANARY,
    "PGPASSFILE": f"/home/{CANARY}",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "AWS_SESSION_TOKEN": CANARY,
    "HF_TOKEN": CANARY,
    "WANDB_API_KEY": CANARY,
    "GOOGLE_APPLICATION_CREDENTIALS": f"/home/{CANARY}.json",
    "PIP_INDEX_URL": f"https://me:{CANARY}@packages.example/simple",
}
NEEDED = {"CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "PGP": "kept"}


def test_neither_a_trials_process_nor_the_forkserver_inherits_a_secret_and_the_worker_keeps_all(
    tmp_path: Path,
) -> None:
    """The same holds after a restart of the forkserver."""
    command = [sys.executable, "-m", "tests.launchers.worker_with_secrets", str(tmp_path)]
    environ = {**os.environ, **SECRETS, **NEEDED}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        for _ in range(2):
            trial, server, seen, kept = json.loads(worker.stdout.readline())
            assert server != worker.pid
            for pid in (trial, server):
                assert CANARY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
            assert CANARY in Path(f"/proc/{worker.pid}/environ").read_text()
            assert CANARY not in json.dumps(seen)
            assert NEEDED.items() <= seen.items()
            assert seen["YOLO_OFFLINE"] == "true"
            assert seen["ULTRALYTICS_SAFE_LOAD"] == "1"
            assert seen["PYTHONSAFEPATH"] == "1"
            assert kept.get("ULTRALYTICS_SAFE_LOAD") == os.environ.get("ULTRALYTICS_SAFE_LOAD")  # the user's own stays
            assert SECRETS.items() <= kept.items()
            worker.stdin.write("\n")
            worker.stdin.flush()
    assert worker.returncode == 0


@pytest.mark.parametrize("name", [*SECRETS, "my_api_key", "DB_PASSWD", "HPO_ENV_FILE"])
def test_a_secret_is_known_by_its_name_or_by_a_password_in_its_url(name: str) -> None:
    assert without_secrets({name: SECRETS.get(name, CANARY)}) == {}


def test_what_a_training_needs_stays() -> None:
    kept = {**NEEDED, "HTTPS_PROXY": f"http://me:{CANARY}@proxy:3128", "ULTRALYTICS_API_KEY": "", "PATH": "/bin"}
    assert without_secrets(kept) == kept
