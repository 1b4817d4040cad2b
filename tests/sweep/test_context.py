"""What the cells of one context share, whenever they are prepared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders.planted_gate import (
    PlantedModel,
    PlantedRetriever,
    Problem,
    calibrate,
    planted_context,
    questions,
    sweep_spec,
)

from argo_ml.config import CellSpec, SweepSpec, build
from argo_ml.corpus.base import SimilarityLimit
from argo_ml.corpus.opening import Corpus
from argo_ml.errors import ConfigError
from argo_ml.sweep.context import prepare_cells, resolve_precision, resolve_similarity
from argo_ml.sweep.stages import check_context_unchanged, log_inputs
from argo_ml.tracking.runs import connect


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


def corpus(limit: float | None) -> Corpus:
    measured = None if limit is None else SimilarityLimit(limit, 0.1, 0.1)
    return Corpus(PlantedRetriever(), "c", "own", 99, "c", False, measure_limit=lambda: measured)


def resolved(limit: float | None, **values: object) -> float | None:
    """The limit that cells get, on a corpus that measures ``limit``."""
    spec = build(CellSpec, {"cache_dir": Path("unused"), **values})
    return resolve_similarity(spec, corpus(limit), None).min_similarity


def test_a_given_limit_stays_whatever_the_corpus_measures() -> None:
    assert resolved(0.42, documents="mine", min_similarity=0.1) == 0.1


def test_own_documents_are_measured() -> None:
    assert resolved(0.42, documents="mine") == 0.42
    assert resolved(0.42, documents="mine", min_similarity="auto") == 0.42


def test_documents_that_a_dataset_brings_keep_what_results_stand_on() -> None:
    assert resolved(0.42) == 0.3


def test_a_corpus_too_small_to_measure_on_has_the_same() -> None:
    assert resolved(None, documents="mine") == 0.3


def test_steps_find_what_they_found_when_the_calibration_was_made(tmp_path: Path) -> None:
    made = calibrate(Problem(honesty=1.0), 20, tmp_path)
    made = made.model_copy(update={"spec": {**made.spec, "min_similarity": 0.3}})
    spec = build(CellSpec, {"cache_dir": tmp_path, "documents": "mine"})

    assert resolve_similarity(spec, corpus(0.42), made).min_similarity == 0.3


@pytest.mark.parametrize(
    ("made_with", "asked", "expected"),
    [
        ("bfloat16", "auto", "bfloat16"),
        ("bfloat16", "float32", "float32"),
        ("auto", "auto", "auto"),
        (None, "auto", "auto"),
    ],
)
def test_the_model_computes_as_it_did_for_the_calibration(
    tmp_path: Path, made_with: str | None, asked: str, expected: str
) -> None:
    made = calibrate(Problem(honesty=1.0), 20, tmp_path)
    values = {"precision": made_with} if made_with else {}
    kept = {name: value for name, value in made.spec.items() if name != "precision"}
    made = made.model_copy(update={"spec": {**kept, **values}})
    spec = build(CellSpec, {"cache_dir": tmp_path, "precision": asked})

    assert resolve_precision(spec, made).precision == expected


def test_a_run_keeps_the_context_that_it_began_with(tracking_uri: str) -> None:
    run = connect(tracking_uri, "argo_ml").create("a sweep", {})
    for n_tokens in (2048, 4096):
        context: Any = SimpleNamespace(context_tokens=n_tokens, digests={}, inputs=[])
        log_inputs(SweepSpec(), context, run)

    check_context_unchanged(run, 2048)
    with pytest.raises(ConfigError, match="answers of 2048 tokens and takes 1024 now"):
        check_context_unchanged(run, 1024)
