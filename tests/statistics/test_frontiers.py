from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_ml.statistics.frontiers import (
    FrontierPoint,
    RandomSplits,
    conservative_budget,
    conservative_frontier,
    deployable_frontier,
    exact_frontier,
    threshold_by_line,
    threshold_for_budget,
)

_Row = tuple[float, bool, bool]
_SCORES = st.one_of(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), st.floats(-1e6, 1e6))
_ROWS = st.lists(st.tuples(_SCORES, st.booleans(), st.booleans()), min_size=1, max_size=25)
_BUDGETS = st.floats(0, 1)


def _columns(rows: list[_Row]) -> tuple[list[float], list[bool], list[bool]]:
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def test_exact_frontier_retrieves_for_the_top_scores() -> None:
    found = exact_frontier(
        scores=[0.2, 0.9, 0.1, 0.8],
        without=[True, False, True, False],
        with_=[False, True, True, False],
        budgets=[0.0, 0.25, 0.5, 0.99, 1.0],
    )

    assert found == (
        FrontierPoint(0.0, 0.0, 0.5),
        FrontierPoint(0.25, 0.25, 0.75),
        FrontierPoint(0.5, 0.5, 0.75),
        FrontierPoint(0.99, 0.75, 0.5),
        FrontierPoint(1.0, 1.0, 0.5),
    )


def test_exact_frontier_takes_ties_by_expectation() -> None:
    found = exact_frontier([1.0, 1.0], [False, False], [True, False], [0.5])

    assert found == (FrontierPoint(0.5, 0.5, 0.25),)


@pytest.mark.parametrize("budget", [0.07, 0.29, 0.57, 0.58])
def test_a_budget_buys_what_it_says_despite_rounding(budget: float) -> None:
    # Each of these times 100 is a little off the whole number in floating point.
    (found,) = exact_frontier(list(range(100)), [False] * 100, [True] * 100, [budget])

    assert found.retrieval_share == budget


@given(_ROWS, st.lists(_BUDGETS, max_size=5).map(sorted))
def test_exact_frontier_keeps_every_budget_and_uses_more_of_a_larger_one(
    rows: list[_Row], budgets: list[float]
) -> None:
    points = exact_frontier(*_columns(rows), budgets)

    assert [point.budget for point in points] == budgets
    assert all(point.retrieval_share <= point.budget + 1e-9 for point in points)
    assert all(
        first.retrieval_share <= second.retrieval_share for first, second in pairwise(points)
    )


@given(_ROWS)
def test_exact_frontier_ends_at_never_and_always(rows: list[_Row]) -> None:
    scores, without, with_ = _columns(rows)

    never, always = exact_frontier(scores, without, with_, [0.0, 1.0])

    assert never.accuracy == pytest.approx(fmean(without))
    assert always.accuracy == pytest.approx(fmean(with_))


@given(_ROWS, _ROWS, _BUDGETS, st.randoms(use_true_random=False))
def test_order_of_questions_does_not_matter(
    calibration: list[_Row], rows: list[_Row], budget: float, random: Random
) -> None:
    shuffled = random.sample(rows, len(rows))
    scores = [row[0] for row in calibration]
    shuffled_scores = random.sample(scores, len(scores))

    assert exact_frontier(*_columns(rows), [budget]) == exact_frontier(
        *_columns(shuffled), [budget]
    )
    assert deployable_frontier(scores, *_columns(rows), [budget]) == deployable_frontier(
        shuffled_scores, *_columns(shuffled), [budget]
    )
    assert conservative_frontier(scores, *_columns(rows), [budget]) == conservative_frontier(
        shuffled_scores, *_columns(shuffled), [budget]
    )


@pytest.mark.parametrize(
    ("scores", "rho", "threshold"),
    [
        ([0.4, 0.1, 0.3, 0.2], 0.5, 0.3),
        ([0.4, 0.1, 0.3, 0.2], 0.74, 0.3),
        ([0.4, 0.1, 0.3, 0.2], 0.75, 0.2),
        # The second and third highest are equal: only the first fits into two.
        ([0.4, 0.1, 0.3, 0.3], 0.5, 0.4),
        ([0.4, 0.1, 0.3, 0.2], 0.0, math.inf),
        ([0.3, 0.3, 0.3], 0.9, math.inf),
        ([0.3, 0.3, 0.3], 1.0, -math.inf),
    ],
)
def test_threshold_for_a_budget(scores: list[float], rho: float, threshold: float) -> None:
    assert threshold_for_budget(scores, rho) == threshold


@given(st.lists(_SCORES, min_size=1, max_size=25), st.floats(0, 1, exclude_max=True))
def test_threshold_for_a_budget_is_the_smallest_that_keeps_it(
    scores: list[float], rho: float
) -> None:
    n_allowed = math.floor(rho * len(scores) + 1e-9)
    keeping = [
        candidate
        for candidate in [*scores, math.inf]
        if sum(score >= candidate for score in scores) <= n_allowed
    ]

    if n_allowed < len(scores):
        assert threshold_for_budget(scores, rho) == min(keeping)


def test_deployable_frontier_reports_the_realized_use() -> None:
    found = deployable_frontier(
        calibration_scores=[0.1, 0.2, 0.3, 0.4],
        scores=[0.35, 0.3, 0.05, 0.5],
        without=[False, False, False, True],
        with_=[True, True, True, False],
        budgets=[0.0, 0.5, 1.0],
    )

    assert found == (
        FrontierPoint(0.0, 0.0, 0.25),
        FrontierPoint(0.5, 0.75, 0.5),
        FrontierPoint(1.0, 1.0, 0.75),
    )


def test_conservative_budget_by_hoeffding() -> None:
    # sqrt(ln 40 / 2000) = sqrt(3.688879 / 2000) = 0.042947; sqrt(ln 20 / 2000) = 0.038702.
    assert conservative_budget(0.5, 1000) == pytest.approx(0.457053, abs=1e-6)
    assert conservative_budget(0.5, 1000, delta=0.1) == pytest.approx(0.461298, abs=1e-6)
    assert conservative_budget(0.5, 4) == 0.0


def test_conservative_frontier_is_at_the_lowered_budget_and_names_the_one_asked_for() -> None:
    scores = [float(score) for score in range(1000)]

    (found,) = conservative_frontier(scores, scores, [False] * 1000, [True] * 1000, [0.5])

    assert found == FrontierPoint(0.5, 0.457, 0.457)


def exceedance(
    scores: Sequence[float], rho: float, n_calibration: int, conservative: bool, **options: Any
) -> float:
    splits = RandomSplits.of(scores, n_calibration, **options)
    [share] = splits.exceedances([rho], conservative=conservative)
    return share


def test_exceedance_of_three_questions() -> None:
    # The threshold is the higher of two scores; the third exceeds it in one split of three.
    found = exceedance([1.0, 2.0, 3.0], 0.5, 2, seed=0, conservative=False, n_splits=3000)

    assert found == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_budgets_of_none_and_all_are_never_exceeded(rho: float) -> None:
    scores = [float(score) for score in range(20)]

    assert exceedance(scores, rho, 10, seed=0, conservative=False) == 0.0


def test_a_conservative_budget_is_rarely_exceeded_where_the_plain_one_often_is() -> None:
    scores = [float(score) for score in range(1000)]

    assert exceedance(scores, 0.3, 500, seed=0, conservative=False) > 0.3
    assert exceedance(scores, 0.3, 500, seed=0, conservative=True) < 0.05


@settings(max_examples=30)
@given(
    st.lists(_SCORES, min_size=2, max_size=40),
    _BUDGETS,
    st.integers(0, 99),
    st.randoms(use_true_random=False),
)
def test_exceedance_falls_with_the_conservative_budget_and_ignores_order(
    scores: list[float], rho: float, seed: int, random: Random
) -> None:
    n_calibration = len(scores) // 2
    shuffled = random.sample(scores, len(scores))

    deployable, conservative, again = (
        exceedance(some, rho, n_calibration, seed=seed, conservative=safe, n_splits=20)
        for some, safe in ((scores, False), (scores, True), (shuffled, False))
    )

    assert 0.0 <= conservative <= deployable <= 1.0
    assert again == deployable


@pytest.mark.parametrize("rho", [-0.1, 1.1, math.nan])
def test_a_budget_outside_the_unit_interval_is_an_error(rho: float) -> None:
    with pytest.raises(ValueError, match=f"budget={rho}"):
        exact_frontier([0.5], [True], [True], [rho])
    with pytest.raises(ValueError, match=f"budget={rho}"):
        threshold_for_budget([0.5], rho)
    with pytest.raises(ValueError, match=f"budget={rho}"):
        conservative_budget(rho, 10)


@pytest.mark.parametrize("price", [-0.1, math.inf, math.nan])
def test_a_price_is_a_number_from_zero_on(price: float) -> None:
    with pytest.raises(ValueError, match=f"price={price}"):
        threshold_by_line([0.5], [True], [True], price)


@pytest.mark.parametrize("n", [30, 100, 300])
def test_equal_scores_retrieve_for_all_or_none_by_what_pays(n: int) -> None:
    n_gained = round(0.06 * n)
    without, with_ = [False] * n, [True] * n_gained + [False] * (n - n_gained)
    scores = [step / 100 for step in range(20, 81)]

    dear = {threshold_by_line([score] * n, without, with_, 0.1) for score in scores}
    cheap = {threshold_by_line([score] * n, without, with_, 0.02) for score in scores}

    assert (dear, cheap) == ({math.inf}, {-math.inf})


def test_hoeffding_needs_questions_and_a_chance() -> None:
    with pytest.raises(ValueError, match="n=0"):
        conservative_budget(0.5, 0)
    with pytest.raises(ValueError, match=r"delta=1\.0"):
        conservative_budget(0.5, 10, delta=1.0)


@pytest.mark.parametrize("n_calibration", [0, 3])
def test_a_split_needs_both_parts(n_calibration: int) -> None:
    with pytest.raises(ValueError, match=f"n_calibration={n_calibration}: needs 1 to 2"):
        exceedance([1.0, 2.0, 3.0], 0.5, n_calibration, seed=0, conservative=False)


def test_exceedance_needs_splits() -> None:
    with pytest.raises(ValueError, match="n_splits=0"):
        exceedance([1.0, 2.0], 0.5, 1, seed=0, conservative=False, n_splits=0)


def test_unpaired_outcomes_are_an_error() -> None:
    with pytest.raises(ValueError, match="1 outcomes cannot be paired with 2 scores"):
        exact_frontier([0.1, 0.2], [True, False], [True], [0.5])
