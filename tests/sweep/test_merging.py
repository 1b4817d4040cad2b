from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.results.records import QuestionResult
from argo_ml.results.shard import ShardRecord
from argo_ml.sweep.journal import Journal
from argo_ml.sweep.merging import ShardMerger


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "sweep") as opened:
        yield opened


def row(question_id: str, n_paid: int) -> QuestionResult:
    return QuestionResult(
        question_id=question_id,
        answer="Paris",
        correct=True,
        exact_match=1.0,
        token_f1=1.0,
        contains=1.0,
        parsed=True,
        actions=(),
        retrieval_successes=0,
        decomposer_fallbacks=0,
        cost=0.0,
        stop_reason="policy",
        decomposer_calls=0,
        reader_calls=0,
        reasoner_calls=0,
        synthesizer_calls=1,
        lm_calls_paid=n_paid,
        prompt_tokens=4,
        completion_tokens=1,
        lm_seconds=0.0,
    )


def record(question_id: str, *paid: str) -> ShardRecord:
    """One question's result in one cell, with the keys of the calls it pays for."""
    return ShardRecord(
        {"cell": [row(question_id, len(paid))]}, {"cell": []}, {}, {"cell": [list(paid)]}
    )


def cell_run() -> Any:
    """Stands for a cell's run and keeps the rows that it takes."""
    results: list[QuestionResult] = []
    return SimpleNamespace(cell=SimpleNamespace(id="cell"), results=results, add=results.extend)


def test_shards_that_finish_out_of_order_are_taken_in_order(journal: Journal) -> None:
    cell = cell_run()
    merger = ShardMerger(journal, [cell])

    journal.write(1, record("second"))
    assert not merger.advance()
    journal.write(0, record("first"))
    assert merger.advance()
    assert not merger.advance()

    assert [result.question_id for result in cell.results] == ["first", "second"]


def test_a_call_of_several_shards_is_paid_by_the_first_whoever_ran_first(journal: Journal) -> None:
    cell = cell_run()
    merger = ShardMerger(journal, [cell])

    journal.write(2, record("c", "shared", "late"))
    journal.write(1, record("b", "shared", "own"))
    journal.write(0, record("a", "early"))
    merger.advance()

    assert [result.lm_calls_paid for result in cell.results] == [1, 2, 1]


def test_what_is_paid_is_the_same_when_a_sweep_goes_on(journal: Journal) -> None:
    journal.write(1, record("b", "shared"))
    before = cell_run()
    ShardMerger(journal, [before]).advance()
    journal.write(0, record("a", "shared"))
    after = cell_run()

    ShardMerger(journal, [after]).advance()

    assert before.results == []
    assert [result.lm_calls_paid for result in after.results] == [1, 0]


def test_results_of_a_record_without_payments_stay_as_they_are(journal: Journal) -> None:
    cell = cell_run()
    journal.write(0, ShardRecord({"cell": [row("a", 5)]}, {"cell": []}, {}))

    ShardMerger(journal, [cell]).advance()

    assert cell.results == [row("a", 5)]
