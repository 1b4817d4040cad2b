"""What the cells of one context share, whenever they are prepared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from builders.planted_gate import PlantedModel, Problem, planted_context, questions, sweep_spec

from argo_ml.sweep.context import prepare_cells


def test_cells_prepared_apart_share_what_they_know(tmp_path: Path) -> None:
    """The trials of a study do: each prepares its own cell."""
    context = planted_context(Problem(honesty=1.0), questions(0, 1), tmp_path)
    spec = sweep_spec(tmp_path, strategies="never,single", retrieval_costs="0.1")

    first, second = (prepare_cells([cell], context) for cell in spec.cells())

    assert first[0].pipeline.knowledge == second[0].pipeline.knowledge


def test_texts_are_counted_once_for_all_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    def count_tokens(model: PlantedModel, texts: Sequence[str]) -> list[int]:
        counted.extend(texts)
        return [len(text.split()) for text in texts]

    monkeypatch.setattr(PlantedModel, "count_tokens", count_tokens)
    context = planted_context(Problem(honesty=1.0), questions(0, 1), tmp_path)

    counts = [context.count_tokens(["a passage", "yet another one"]) for _ in range(2)]

    assert counts == [[2, 3]] * 2
    assert counted == ["a passage", "yet another one"]
