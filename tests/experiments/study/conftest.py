"""A planted problem and its parameters."""

from __future__ import annotations

from pathlib import Path

import planted_study
import pytest
from planted_study import Problem


@pytest.fixture
def problem(cache_dir: Path, tracking_uri: str, tmp_path: Path) -> Problem:
    values = {
        **planted_study.write(tmp_path),
        "cache_dir": str(cache_dir),
        "tracking_uri": tracking_uri,
        "experiment": "study",
        "retrieval_costs": "0.1",
        "heartbeat_s": "1",
    }
    return Problem(values)
