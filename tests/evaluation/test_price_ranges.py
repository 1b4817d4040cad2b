from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.price_ranges import best_ranges, price_ranges
from argo_ml.evaluation.record import PriceRange
from argo_ml.results.records import CellResult


def shown(ranges: tuple[PriceRange, ...]) -> list[tuple[str, float, float]]:
    return [(own.strategy, round(own.low, 6), round(own.high, 6)) for own in ranges]


def row(strategy: str, correct: str, n_retrievals: int) -> list[CellResult]:
    actions = ["retrieve"] * n_retrievals
    return [sweep.cell(strategy, price, correct, actions) for price in (0.1, 0.2, 0.3)]


def test_lines_cross_at_their_break_even_price() -> None:
    cells = row("never", "1000", 0) + row("single", "1" * 4, 1)
    dear = [sweep.cell("never", 0.9, "1000"), sweep.cell("single", 0.9, "1111", ["retrieve"])]

    # 0.25 against 1 - c.
    found = price_ranges(judge_cells(sweep.results(*cells, *dear)))

    assert shown(found) == [("single", 0.1, 0.75), ("never", 0.75, 0.9)]
    assert [own.is_exact for own in found] == [True, True]


def test_three_ranges_from_more_retrievals_to_none() -> None:
    cells = [
        *row("never", "1000000000", 0),
        *row("single", "1110000000", 1),
        *row("always_retrieve", "1111500000".replace("5", "0"), 2),
    ]

    # 0.1, 0.3 - c and 0.4 - 2c: equal at 0.1 and at 0.2.
    assert shown(price_ranges(judge_cells(sweep.results(*cells)))) == [
        ("single", 0.1, 0.2),
        ("never", 0.2, 0.3),
    ]


def test_one_strategy_is_best_throughout() -> None:
    cells = row("never", "1110", 0) + row("single", "1110", 1)

    assert shown(price_ranges(judge_cells(sweep.results(*cells)))) == [("never", 0.1, 0.3)]


def test_single_price_is_a_range_of_its_own() -> None:
    cells = sweep.cell("never", 0.1, "1000"), sweep.cell("single", 0.1, "1110", ["retrieve"])

    assert shown(price_ranges(judge_cells(sweep.results(*cells)))) == [("single", 0.1, 0.1)]


def test_crossing_of_a_strategy_that_acts_by_the_price_is_interpolated() -> None:
    cells = [
        sweep.cell("never", 0.1, "1000"),
        sweep.cell("never", 0.3, "1000"),
        sweep.cell("always_retrieve", 0.1, "1110", ["retrieve"] * 2),
        sweep.cell("always_retrieve", 0.3, "1000", ["retrieve"]),
    ]

    # 0.55 and -0.05 against 0.25: half way.
    first, second = price_ranges(judge_cells(sweep.results(*cells)))

    assert (first.strategy, first.high, second.strategy) == (
        "always_retrieve",
        pytest.approx(0.2),
        "never",
    )
    assert not first.is_exact


def test_strategies_that_decide_by_the_question_are_no_fixed_ones() -> None:
    cells = row("argo", "1111", 0) + row("random", "1111", 0)

    assert price_ranges(judge_cells(sweep.results(*cells))) == ()


@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 4)), min_size=1, max_size=5, unique=True),
    st.integers(0, 40),
)
def test_range_names_a_strategy_of_the_highest_utility(
    shapes: list[tuple[int, int]], at: int
) -> None:
    prices = [0.1 * step for step in range(1, 6)]
    lines = {
        f"s{index}": [(price, accuracy / 10 - price * n) for price in prices]
        for index, (accuracy, n) in enumerate(shapes)
    }
    price = 0.1 + 0.01 * at

    ranges = best_ranges(lines)

    own = next(one for one in ranges if one.low - 1e-9 <= price <= one.high + 1e-9)
    accuracy, n = shapes[int(own.strategy[1:])]
    best = max(accuracy / 10 - price * n for accuracy, n in shapes)
    assert accuracy / 10 - price * n == pytest.approx(best, abs=1e-6)
    assert (ranges[0].low, ranges[-1].high) == (pytest.approx(0.1), pytest.approx(0.5))
