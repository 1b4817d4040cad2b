from __future__ import annotations

import math
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.price_thresholds import PriceThreshold, threshold_for_price

_Row = tuple[float, bool, bool]
_SCORES = st.one_of(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), st.floats(-1e6, 1e6))
_ROWS = st.lists(st.tuples(_SCORES, st.booleans(), st.booleans()), min_size=1, max_size=25)


def _columns(rows: list[_Row]) -> tuple[list[float], list[bool], list[bool]]:
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def test_threshold_for_a_price_lies_midway_between_scores() -> None:
    found = threshold_for_price([0.2, 0.9, 0.6], [True, False, False], [False, True, False], 0.1)

    assert found.threshold == 0.75
    assert found.utility == pytest.approx((2 - 0.1) / 3)
    assert found.retrieval_share == pytest.approx(1 / 3)


def test_a_gain_that_costs_as_much_is_left() -> None:
    found = threshold_for_price([0.2, 0.9], [True, False], [False, True], 1.0)

    assert found == PriceThreshold(math.inf, 0.5, 0.0)


def test_retrieving_for_all_has_no_lower_threshold() -> None:
    found = threshold_for_price([0.2, 0.9], [False, False], [True, True], 0.25)

    assert found == PriceThreshold(-math.inf, 0.75, 1.0)


def test_equal_utilities_but_for_rounding_retrieve_least() -> None:
    # 29 gains for 100 retrievals at 0.29 each, which floating point makes a little less than 29.
    scores = [float(score) for score in range(100)]

    found = threshold_for_price(scores, [False] * 100, [score < 29 for score in scores], 0.29)

    assert found == PriceThreshold(math.inf, 0.0, 0.0)


@given(st.floats(-1e300, 1e300))
def test_threshold_between_neighboring_floats_still_parts_them(low: float) -> None:
    high = math.nextafter(low, math.inf)

    found = threshold_for_price([low, high], [False, False], [False, True], 0.5)

    assert low < found.threshold <= high


@given(_ROWS, st.floats(0, 2))
def test_threshold_for_a_price_is_the_best_of_all(rows: list[_Row], price: float) -> None:
    def utility(threshold: float) -> float:
        return fmean(
            with_ - price if score >= threshold else float(without)
            for score, without, with_ in rows
        )

    found = threshold_for_price(*_columns(rows), price)
    candidates = [*(row[0] for row in rows), math.inf]
    equal = [one for one in candidates if utility(one) >= found.utility - 1e-9]
    least = min(fmean(row[0] >= one for row in rows) for one in equal)

    assert found.utility == pytest.approx(max(map(utility, candidates)))
    assert found.utility == pytest.approx(utility(found.threshold))
    assert found.retrieval_share == pytest.approx(least)


@given(_ROWS, st.floats(0, 2), st.integers(0, 10))
def test_threshold_for_a_price_is_the_same_in_any_order(
    rows: list[_Row], price: float, seed: int
) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))

    assert threshold_for_price(*_columns(rows), price) == threshold_for_price(
        *_columns(shuffled), price
    )


@pytest.mark.parametrize("price", [-0.1, math.inf, math.nan])
def test_a_price_is_a_number_from_zero_on(price: float) -> None:
    with pytest.raises(ValueError, match=f"price={price}"):
        threshold_for_price([0.5], [True], [True], price)
