from __future__ import annotations

from tests.head.conftest import open_folder

__all__ = ["open_folder"]
