from __future__ import annotations

from builders.result_builders import results

from argo_ml.config import SweepSpec
from argo_ml.evaluation.comparison import compare_with_best_baseline, n_actions
from argo_ml.results.records import Results
from argo_ml.types import Action


def graded(found: Results, strategy: str, n_correct: int) -> Results:
    """``strategy`` with its first ``n_correct`` questions right and the others wrong."""
    cells = [
        cell.model_copy(
            update={
                "questions": tuple(
                    row.model_copy(update={"correct": index < n_correct})
                    for index, row in enumerate(cell.questions)
                )
            }
        )
        if cell.strategy == strategy
        else cell
        for cell in found.cells
    ]
    return found.model_copy(update={"cells": tuple(cells)})


def test_baseline_with_the_best_mean_utility_is_chosen_at_each_price() -> None:
    found = results(SweepSpec(n_questions=4, retrieval_costs="0.02,0.2"))
    for strategy, n_correct in (("argo", 3), ("always_retrieve", 4), ("always_reason", 3)):
        found = graded(found, strategy, n_correct)
    found = graded(found, "random", 0)

    cheap, dear = compare_with_best_baseline(found)

    # Utility at 0.02: 1 - 0.08 against 0.75 - 0.26; at 0.2: 1 - 0.8 against 0.75 - 0.26.
    assert (cheap.retrieval_cost, cheap.baseline) == (0.02, "always_retrieve")
    assert (dear.retrieval_cost, dear.baseline) == (0.2, "always_reason")
    assert round(cheap.difference.mean, 10) == -0.25


def test_same_actions_and_answers_are_identical() -> None:
    found = results(SweepSpec(n_questions=4, retrieval_costs="0.02"))

    [comparison] = compare_with_best_baseline(found)

    assert comparison.baseline == "always_retrieve"
    assert comparison.identical
    assert comparison.difference.mean == 0.0


def test_argo_optimal_is_no_baseline() -> None:
    found = results(SweepSpec(n_questions=2, strategies="argo,argo_optimal", n_prices=2))

    assert compare_with_best_baseline(found) == ()


def test_without_argo_there_is_nothing_to_compare() -> None:
    found = results(SweepSpec(n_questions=2, strategies="random,always_reason", n_prices=2))

    assert compare_with_best_baseline(found) == ()


def test_actions_are_counted_per_question() -> None:
    found = results(SweepSpec(n_questions=2, strategies="always_reason", retrieval_costs="0.2"))

    assert n_actions(found.cells[0], Action.REASON) == [13, 13]
    assert n_actions(found.cells[0], Action.RETRIEVE) == [0, 0]
