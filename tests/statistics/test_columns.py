from __future__ import annotations

import numpy as np
import pytest

from argo_ml.statistics.columns import outcome_column, score_column, top_sums


def test_sums_over_the_top_scores() -> None:
    found = top_sums(np.array([0.1, 0.9, 0.5]), np.array([1.0, 2.0, 4.0]))

    assert found.tolist() == [0.0, 2.0, 6.0, 7.0]


def test_tied_rows_count_by_expectation() -> None:
    found = top_sums(np.array([0.5, 0.9, 0.5]), np.array([1.0, 1.0, 0.0]))

    assert found.tolist() == [0.0, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_not_finite_is_an_error(score: float) -> None:
    with pytest.raises(ValueError, match=f"score={score}"):
        score_column([0.5, score])


def test_no_scores_are_an_error() -> None:
    with pytest.raises(ValueError, match="no scores"):
        score_column([])


def test_an_outcome_is_true_or_false() -> None:
    assert outcome_column([True, False], 2).tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match=r"outcome=0\.5"):
        outcome_column([True, 0.5], 2)  # type: ignore[list-item]


def test_outcomes_of_other_questions_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="3 outcomes cannot be paired with 2 scores"):
        outcome_column([True, False, True], 2)
