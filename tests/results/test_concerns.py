from __future__ import annotations

from builders import result_builders

from argo_ml.config import SweepSpec
from argo_ml.results.concerns import unfinished_replies
from argo_ml.results.records import Results

SPEC = SweepSpec(mode="small", strategies="argo", retrieval_costs="0.1")


def answered(answer: str, parsed: bool) -> Results:
    """Results whose first row has this answer."""
    results = result_builders.results(SPEC)
    [cell] = results.cells
    first, *others = cell.questions
    first = first.model_copy(update={"answer": answer, "parsed": parsed})
    cell = cell.model_copy(update={"questions": (first, *others)})
    return results.model_copy(update={"cells": (cell,)})


def test_replies_that_ended_within_their_reasoning_are_counted() -> None:
    results = answered("<think>\nlet me", parsed=False)
    n_rows = len(results.cells[0].questions)
    [line] = unfinished_replies(results, 1024)
    assert line.startswith(f"1 of {n_rows} replies ended within <think>")
    assert "raise thinking_tokens=1024" in line


def test_replies_that_could_not_be_read_otherwise_are_not() -> None:
    assert list(unfinished_replies(answered("I do not know", parsed=False), 50)) == []
