"""Specs of replays of made-up outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import recorded_outcomes

from argo_ml.config import ReplaySpec

MakeSpec = Callable[..., ReplaySpec]


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """Writes lines into a file, and others to calibrate on into another where they are given."""

    def make(
        lines: Iterable[Mapping[str, Any]],
        calibrating: Iterable[Mapping[str, Any]] | None = None,
        **values: object,
    ) -> ReplaySpec:
        return recorded_outcomes.replay_spec(tmp_path, lines, calibrating, **values)

    return make
