from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Requests
from tests.training.measuring.requests import Maker, swept_from


@pytest.fixture
def swept_request(request_for: Requests, trained: Path) -> Maker:
    return swept_from(request_for, trained)
