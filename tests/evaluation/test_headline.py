from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep

from argo_ml.evaluation.break_even import break_evens
from argo_ml.evaluation.headline import has_measured_progress, headline, question
from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.price_ranges import price_ranges
from argo_ml.evaluation.sentences import answer_lines
from argo_ml.results.records import CellResult, Results

HALF = "10" * 50
BEST = "1" * 90 + "0" * 10
WORST = "0" * 90 + "1" * 10


def two_prices(strategy: str, correct: str, actions: tuple[str, ...] = ()) -> list[CellResult]:
    return [sweep.cell(strategy, price, correct, actions) for price in (0.1, 0.2)]


def answer_of(results: Results) -> tuple[str, ...]:
    cells = judge_cells(results)
    first = headline(cells, has_measured_progress(results))
    return answer_lines(break_evens(results), price_ranges(cells), first, results)


def test_question_names_what_was_asked() -> None:
    known = sweep.cell("never", 0.1, "101", difficulty=["hard", "easy", "hard"])

    assert question(sweep.results(known, difficulty="all")) == (
        "When does it pay to retrieve, on 3 all-difficulty atlas questions with smollm2-135m?"
    )


def test_question_is_silent_about_difficulties_that_the_source_does_not_know() -> None:
    results = sweep.results(sweep.cell("never", 0.1, "101"), dataset="jsonl", model="/models/m")

    assert "on 3 jsonl questions with m?" in question(results)


def test_answer_begins_with_break_even_prices_and_what_to_use() -> None:
    cells = [
        *two_prices("argo", HALF),
        *two_prices("never", "0" * 100),
        *two_prices("single", "1" * 15 + "0" * 85, ("retrieve",)),
    ]

    lines = answer_of(sweep.results(*cells))

    assert len(lines) == 2
    assert lines[0].startswith(
        "Break-even price of retrieving once (single) instead of not at all (never): 0.150 ["
    )
    assert lines[1].startswith("Use single (one retrieval) below 0.150, never (no retrieval) above")


def test_fixed_gains_cannot_look_at_the_question_and_measured_progress_can() -> None:
    cells = two_prices("never", HALF) + two_prices("argo", BEST)

    assert not any("Deciding" in line for line in answer_of(sweep.results(*cells)))
    assert answer_of(sweep.results(*cells, progress="measured"))[-1] == (
        "Deciding by the question pays: the utility of argo minus that of the best fixed strategy "
        "is +0.400 on average over 2 prices, 95 % interval +0.280 to +0.510; at a single price "
        "it is told to lie above 0 at 2 and below 0 at 0 of them."
    )


def test_weightless_prices_have_no_break_even() -> None:
    cells = sweep.cell("never", 0.1, "10"), sweep.cell("single", 0.1, "11", ["retrieve"])

    assert answer_of(sweep.results(*cells, mu=0.0))[0] == (
        "There is no break-even price: mu is 0, so that prices weigh nothing."
    )


def test_gain_is_averaged_over_prices_against_each_price_s_best() -> None:
    cells = [
        sweep.cell("never", 0.1, "1000"),
        sweep.cell("never", 0.9, "1000"),
        sweep.cell("single", 0.1, "1110", ["retrieve"]),
        sweep.cell("single", 0.9, "1110", ["retrieve"]),
        sweep.cell("argo_fitted", 0.1, "1110"),
        sweep.cell("argo_fitted", 0.9, "1110"),
    ]

    found = headline(judge_cells(sweep.results(*cells)))

    assert found is not None
    assert found.gain.mean == pytest.approx((0.1 + 0.5) / 2)
    # At 0.1 it is 0.1 on all four questions, which say nothing of others.
    assert (found.n_prices, found.n_above, found.n_below) == (2, 0, 0)
    assert (found.strategy, found.candidates) == ("argo_fitted", ("argo_fitted",))
    assert not found.is_identical


def test_worse_strategy_is_told_as_such() -> None:
    cells = two_prices("never", HALF) + two_prices("argo_fitted", WORST)

    found = answer_of(sweep.results(*cells))[-1]

    assert found.startswith("Deciding by the question loses: the utility of argo_fitted minus that")
    assert "is told to lie above 0 at 0 and below 0 at 2 of them" in found


def test_difference_that_may_be_none_is_not_settled() -> None:
    cells = two_prices("never", "1100" * 5) + two_prices("argo_fitted", "1010" * 5)

    assert answer_of(sweep.results(*cells))[-1].startswith(
        "Whether deciding by the question pays is not settled: the utility of argo_fitted minus"
    )


@pytest.mark.parametrize(
    ("n", "verdict"),
    [
        (20, "Whether deciding by the question pays is not settled"),
        (400, "Deciding by the question loses"),
    ],
)
def test_the_same_loss_on_every_question_is_told_of_many_questions_alone(
    n: int, verdict: str
) -> None:
    always = sweep.cell("argo_fitted", 0.02, "0" * n, ["retrieve"])

    found = answer_of(sweep.results(sweep.cell("never", 0.02, "0" * n), always))[-1]

    assert found.startswith(
        f"{verdict}: the utility of argo_fitted minus that of the best fixed strategy is -0.020 on "
        "average over 1 price, the same on every question, which gives no interval; "
    )


@pytest.mark.parametrize(
    ("n", "verdict", "interval"),
    [
        (
            100,
            "Whether deciding by the question pays is not settled",
            "-0.020 to -0.019, which answers that no question has shown yet may outweigh; ",
        ),
        (400, "Deciding by the question loses", "-0.020 to -0.020; "),
    ],
)
def test_a_question_that_costs_nothing_makes_no_certainty_of_costs(
    n: int, verdict: str, interval: str
) -> None:
    nearly_always = sweep.cell("argo_fitted", 0.02, "0" * n, [["retrieve"]] * (n - 1) + [[]])

    line = answer_of(sweep.results(sweep.cell("never", 0.02, "0" * n), nearly_always))[-1]

    assert line.startswith(f"{verdict}: the utility of argo_fitted minus that of the best fixed")
    assert f"average over 1 price, 95 % interval {interval}" in line


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
    assert text in answer_of(sweep.results(*cells))[-1]


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
    assert text in answer_of(sweep.results(*cells))[-1]


def test_strategy_that_does_the_same_is_not_compared() -> None:
    cells = two_prices("never", HALF) + two_prices("argo_fitted", HALF)

    assert answer_of(sweep.results(*cells))[-1] == (
        "Deciding by the question changes nothing: argo_fitted acts and answers like the best "
        "fixed strategy on every question, at 2 prices."
    )


def test_strategy_that_does_the_same_for_more_is_said_to() -> None:
    looking = [sweep.cell("entropy_gate", price, HALF, cost=[0.01] * 100) for price in (0.1, 0.2)]

    assert answer_of(sweep.results(*two_prices("never", HALF), *looking))[-1] == (
        "Deciding by the question changes nothing but the cost: entropy_gate acts and answers like "
        "the best fixed strategy on every question, at 2 prices, and costs 0.01 more per question."
    )


def test_missing_sides_are_named() -> None:
    only_fixed = sweep.results(*two_prices("never", HALF), *two_prices("random", HALF))
    only_adaptive = sweep.results(*two_prices("argo_fitted", HALF))

    assert headline(judge_cells(only_fixed)) is None
    assert answer_of(only_fixed)[0] == (
        "The break-even price of retrieving is not known: single did not run; name both in "
        "strategies."
    )
    assert answer_of(only_adaptive) == (
        "The break-even price of retrieving is not known: never and single did not run; name both "
        "in strategies.",
    )
