"""optuna-dashboard reads our database like any Optuna database."""

from __future__ import annotations

import io
import json
from typing import Any
from wsgiref.util import setup_testing_defaults

from optuna_dashboard import wsgi

from hpo.study.database.storage import Storage
from hpo.study.session.worker_session import WorkerSession
from tests.study.support import MakeStudy, run, study_spec


def test_the_dashboard_shows_the_study_and_its_trials(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec("seen"))
    with WorkerSession(storage, study, "worker", None) as session:
        run(session)
    app = wsgi(storage.optuna)
    [summary] = _get(app, "/api/studies")["study_summaries"]
    assert summary["study_name"] == "seen"
    trials = _get(app, f"/api/studies/{summary['study_id']}")["trials"]
    assert [trial["state"] for trial in trials] == ["Complete"] * 5
    assert {param["name"] for param in trials[0]["params"]} == {"lr0", "mosaic", "batch"}


def _get(app: Any, path: str) -> Any:
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO()}
    setup_testing_defaults(environ)
    return json.loads(b"".join(app(environ, lambda *_: None)))
