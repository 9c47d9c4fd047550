"""Writes the commit that a wheel was built from into it, for ``hpo --version``."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``hpo/_commit.txt``; a build outside a git checkout has none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the files are collected."""
        if version == "editable":  # a checkout asks git itself
            return
        git = ["git", "-C", self.root, "rev-parse", "--short=10", "HEAD"]
        try:
            commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return
        file = Path(tempfile.mkdtemp()) / "_commit.txt"
        file.write_text(commit + "\n")
        build_data["force_include"][str(file)] = "hpo/_commit.txt"
