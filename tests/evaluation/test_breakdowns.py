from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep

from argo_ml.evaluation.breakdowns import by_difficulty, middle_price, p_hat, reliability_points
from argo_ml.results.records import DecisionResult


def test_questions_are_told_apart_by_difficulty() -> None:
    kinds = ["hard", "easy", None, "hard"]
    actions = [["retrieve", "reason"], [], [], ["retrieve"]]
    cell = sweep.cell("argo", 0.1, "1100", actions, difficulty=kinds)

    easy, hard = by_difficulty(sweep.results(cell))

    assert (easy.difficulty, easy.n, easy.accuracy, easy.retrieve) == ("easy", 1, 1.0, 0.0)
    assert (hard.difficulty, hard.n, hard.accuracy) == ("hard", 2, 0.5)
    assert (hard.retrieve, hard.reason) == (1.0, 0.5)


def test_questions_of_no_difficulty_are_in_no_row() -> None:
    assert by_difficulty(sweep.results(sweep.cell("argo", 0.1, "10"))) == ()


def test_reliability_takes_every_question_once() -> None:
    confidences = [index / 100 for index in range(60)]
    cells = [
        sweep.cell("argo_fitted", c_r, "0" * 20 + "1" * 40, confidence=confidences)
        for c_r in (0.1, 0.2, 0.3)
    ]

    points = reliability_points(sweep.results(*cells))["argo_fitted"]

    assert [point.n for point in points] == [20, 20, 20]
    assert [point.confidence for point in points] == pytest.approx([0.095, 0.295, 0.495])
    assert [point.accuracy for point in points] == [0.0, 1.0, 1.0]
    assert points[0].low == 0.0 < points[0].high < 1.0


def test_middle_price_of_an_even_number_is_the_higher() -> None:
    assert middle_price((0.3, 0.1, 0.2)) == 0.2
    assert middle_price((0.4, 0.1, 0.2, 0.3)) == 0.3


def test_only_calibrated_strategies_with_all_confidences_are_reliable_or_not() -> None:
    cells = [
        sweep.cell("argo", 0.1, "10", confidence=[0.9, 0.1]),
        sweep.cell("argo_fitted", 0.1, "10", confidence=[0.9, None]),
        sweep.cell("graded", 0.1, "10", confidence=[0.9, None], stop_reason=["policy", "abstain"]),
    ]

    found = reliability_points(sweep.results(*cells))

    assert [(name, points[0].n) for name, points in found.items()] == [("graded", 1)]


def test_p_hat_is_judged_in_every_state_once() -> None:
    at_first = DecisionResult(action="retrieve", confidence=0.2, correct=False)
    stopped = DecisionResult(action="stop", confidence=0.2, correct=False)
    after = DecisionResult(action="stop", confidence=0.9, correct=True)
    unseen = DecisionResult(action="stop", confidence=None, correct=None)
    cells = [
        sweep.cell(
            "argo_fitted", 0.1, "11", ["retrieve"], decisions=[(at_first, after), (at_first, after)]
        ),
        # The same first states again, and one that was not looked at.
        sweep.cell("argo_calibrated", 0.2, "00", decisions=[(stopped,), (unseen,)]),
        # What a gate is sure of need not be p-hat.
        sweep.cell("tasr", 0.2, "00", decisions=[(stopped,)] * 2),
    ]

    found = p_hat(sweep.results(*cells))

    assert found is not None
    assert found.n == 4
    assert found.brier == pytest.approx((0.2**2 + 0.1**2) / 2)
    assert p_hat(sweep.results(cells[2])) is None
