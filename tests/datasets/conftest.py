"""Question files and specs for the tests of datasets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from argo_ml.config import ExperimentSpec, build

WriteLines = Callable[..., Path]


@pytest.fixture
def write_lines(tmp_path: Path) -> WriteLines:
    """Writes values as JSON Lines; texts go in as they are."""

    def write(*lines: object, name: str = "questions.jsonl") -> Path:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path = tmp_path / name
        path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_oran(write_lines: WriteLines, tmp_path: Path) -> Callable[..., Path]:
    """Writes a benchmark folder: one sound line per file that is not given."""

    def write(**files: Sequence[object]) -> Path:
        for letter in "EMH":
            sound = [[f"Question {letter}?", ["1. a", "2. b", "3. c", "4. d"], "2"]]
            write_lines(*files.get(letter, sound), name=f"fin_{letter}.json")
        return tmp_path

    return write


@pytest.fixture
def jsonl_spec() -> Callable[..., ExperimentSpec]:
    def spec(path: Path, **values: object) -> ExperimentSpec:
        given = {"dataset": "jsonl", "questions": str(path), "documents": "docs", **values}
        return build(ExperimentSpec, given)

    return spec
