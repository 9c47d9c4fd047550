"""What the environment says. The only module that reads ``os.environ`` for the service's own settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Places and addresses, resolved once at start."""

    home: Path
    """Absolute folder of everything that is written (``HPO_HOME``, default ``./runs``)."""
    storage_url: str
    """SQLAlchemy URL of the shared database (``HPO_STORAGE``, default SQLite under ``home``)."""
    tracking_uri: str
    """MLflow tracking URI (``MLFLOW_TRACKING_URI``, default SQLite under ``home``)."""
    artifact_root: Path | None
    """Where new experiments keep artifacts; None leaves it to the tracking server."""

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    def study_folder(self, study: str) -> Path:
        """Attempts, weights and the resolved data.yaml of one study."""
        return self.home / "studies" / study


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    env = os.environ if environ is None else environ
    home = Path(env.get("HPO_HOME") or "runs").expanduser().resolve()
    tracking = env.get("MLFLOW_TRACKING_URI") or ""
    return Settings(
        home=home,
        storage_url=env.get("HPO_STORAGE") or f"sqlite:///{home / 'hpo.db'}",
        tracking_uri=tracking or f"sqlite:///{home / 'mlflow.db'}",
        artifact_root=None if tracking else home / "mlartifacts",
    )
