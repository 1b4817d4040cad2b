"""Specs of replays of made-up outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import recorded_outcomes

from argo_ml.config import ReplaySpec, build

MakeSpec = Callable[..., ReplaySpec]


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """Writes lines into a file, and others to calibrate on into another where they are given."""

    def make(
        lines: Iterable[Mapping[str, Any]],
        calibrating: Iterable[Mapping[str, Any]] | None = None,
        **values: object,
    ) -> ReplaySpec:
        given = {"outcomes": recorded_outcomes.write(tmp_path / "outcomes.jsonl", lines)}
        if calibrating is not None:
            path = tmp_path / "calibration.jsonl"
            given["calibration_outcomes"] = recorded_outcomes.write(path, calibrating)
        paths = {name: str(path) for name, path in given.items()}
        return build(ReplaySpec, {**paths, "cache_dir": str(tmp_path / "cache"), **values})

    return make
