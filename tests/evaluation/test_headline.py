from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep

from argo_ml.evaluation.headline import answer_of, headline, question
from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.results.records import CellResult

HALF = "10" * 50
BEST = "1" * 90 + "0" * 10
WORST = "0" * 90 + "1" * 10


def two_prices(strategy: str, correct: str, actions: tuple[str, ...] = ()) -> list[CellResult]:
    return [sweep.cell(strategy, price, correct, actions) for price in (0.1, 0.2)]


def test_question_names_what_was_asked() -> None:
    known = sweep.cell("never", 0.1, "101", difficulty=["hard", "easy", "hard"])

    assert question(sweep.results(known, difficulty="all")) == (
        "Does deciding by the question beat the best fixed strategy, on 3 all-difficulty atlas "
        "questions with smollm2-135m?"
    )


def test_question_is_silent_about_difficulties_that_the_source_does_not_know() -> None:
    results = sweep.results(sweep.cell("never", 0.1, "101"), dataset="jsonl", model="/models/m")

    assert "on 3 jsonl questions with m?" in question(results)


def test_gain_is_averaged_over_prices_against_each_price_s_best() -> None:
    cells = [
        sweep.cell("never", 0.1, "1000"),
        sweep.cell("never", 0.9, "1000"),
        sweep.cell("single", 0.1, "1110", ["retrieve"]),
        sweep.cell("single", 0.9, "1110", ["retrieve"]),
        sweep.cell("argo", 0.1, "1110"),
        sweep.cell("argo", 0.9, "1110"),
    ]

    found = headline(judge_cells(sweep.results(*cells)))

    assert found is not None
    assert found.gain.mean == pytest.approx((0.1 + 0.5) / 2)
    assert (found.n_prices, found.n_above, found.n_below) == (2, 1, 0)
    assert (found.strategy, found.candidates, found.is_identical) == ("argo", ("argo",), False)


def test_better_strategy_is_told_as_such() -> None:
    cells = two_prices("never", HALF) + two_prices("argo", BEST)

    assert answer_of(sweep.results(*cells)) == (
        "Yes: the utility of argo minus that of the best fixed strategy is +0.400 on average over "
        "2 prices, 95 % interval +0.280 to +0.510; the interval at a single price lies above 0 at "
        "2 and below 0 at 0 of them."
    )


def test_worse_strategy_is_told_as_such() -> None:
    cells = two_prices("never", HALF) + two_prices("argo", WORST)

    found = answer_of(sweep.results(*cells))

    assert found.startswith("No, it loses: the utility of argo minus that of the best fixed")
    assert "lies above 0 at 0 and below 0 at 2 of them" in found


def test_difference_that_may_be_none_is_not_shown() -> None:
    cells = two_prices("never", "1100" * 5) + two_prices("argo", "1010" * 5)

    assert answer_of(sweep.results(*cells)).startswith("Not shown: the utility of argo minus")


def test_better_of_two_is_said_to_be_chosen_on_these_questions() -> None:
    cells = [
        *two_prices("never", HALF),
        *two_prices("argo", BEST),
        *two_prices("argo_calibrated", HALF, ("reason",)),
        *two_prices("argo_fitted", BEST, ("reason",)),
    ]

    found = headline(judge_cells(sweep.results(*cells)))

    assert found is not None
    assert (found.strategy, found.candidates) == ("argo_fitted", ("argo_calibrated", "argo_fitted"))
    text = "argo_fitted (on these questions better than argo_calibrated, and therefore chosen)"
    assert text in answer_of(sweep.results(*cells))


def test_gates_stand_in_where_argo_did_not_run() -> None:
    cells = [
        *two_prices("never", HALF),
        *two_prices("entropy_gate", HALF, ("reason",)),
        *two_prices("margin_gate", BEST),
        *two_prices("tasr", WORST),
        *two_prices("oracle", "1" * 100),
        *two_prices("random", "1" * 100),
    ]

    text = "margin_gate (on these questions the best of 3 such strategies, and therefore chosen)"
    assert text in answer_of(sweep.results(*cells))


def test_strategy_that_does_the_same_is_not_compared() -> None:
    cells = two_prices("never", HALF) + two_prices("argo", HALF)

    assert answer_of(sweep.results(*cells)) == (
        "Nothing to compare: argo acts and answers like the best fixed strategy on every question, "
        "at 2 prices."
    )


def test_missing_sides_are_named() -> None:
    only_fixed = sweep.results(*two_prices("never", HALF), *two_prices("random", HALF))
    only_adaptive = sweep.results(*two_prices("argo", HALF))

    assert headline(judge_cells(only_fixed)) is None
    assert answer_of(only_fixed) == "Not asked: no strategy that decides by the question ran."
    assert answer_of(only_adaptive) == (
        "Not asked: no strategy that treats all questions alike ran."
    )
