from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_ml.statistics.intervals import (
    Interval,
    bootstrap_mean,
    holm,
    mcnemar,
    paired_difference,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # By Wilson's formula with z = 1.959964, computed by hand.
    [(7, 10, 0.39678, 0.89221), (0, 10, 0.0, 0.27753), (1, 1, 0.20654, 1.0)],
)
def test_wilson_interval(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)

    assert found.low == pytest.approx(low, abs=1e-5)
    assert found.high == pytest.approx(high, abs=1e-5)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share_and_stays_in_range(pair: tuple[int, int]) -> None:
    successes, n = pair
    found = wilson(successes, n)

    assert 0.0 <= found.low <= found.high <= 1.0
    assert found.low - 1e-12 <= successes / n <= found.high + 1e-12


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_what_is_no_share(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"successes={successes}, n={n}"):
        wilson(successes, n)


def test_bootstrap_of_equal_values_has_no_width() -> None:
    assert bootstrap_mean([0.25, 0.25, 0.25]) == Interval(0.25, 0.25)


def test_bootstrap_of_no_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean([])


def test_bootstrap_is_near_the_normal_interval_for_many_values() -> None:
    # Mean 0.5, standard error 0.5 / sqrt(400) = 0.025.
    found = bootstrap_mean([0.0, 1.0] * 200)

    assert found.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.005)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.005)


def test_bootstrap_is_the_same_every_time() -> None:
    values = [0.1, 0.9, 0.4, 0.4, 0.7]

    assert bootstrap_mean(values) == bootstrap_mean(values)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30))
def test_bootstrap_interval_lies_within_the_values(values: list[float]) -> None:
    found = bootstrap_mean(values)

    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_pairing_cancels_what_makes_questions_differ() -> None:
    difficulty = [0.0, 10.0, 20.0, 30.0]

    found = paired_difference([value + 0.5 for value in difficulty], difficulty)

    assert found.mean == 0.5
    assert found.interval == Interval(0.5, 0.5)
    assert found.n == 4


@pytest.mark.parametrize(
    ("differences", "p_value"),
    # Two differences: a resample has the mean of the two with chance 1/2, of each with 1/4.
    [([1.0, 0.0], 0.5), ([-1.0, 0.0], 0.5), ([0.1, -0.1], 1.0), ([0.0, 0.0], 1.0)],
)
def test_p_value_is_twice_the_smaller_share_of_resamples(
    differences: list[float], p_value: float
) -> None:
    found = paired_difference(differences, [0.0, 0.0])

    assert found.p_value == pytest.approx(p_value, abs=0.03)


def test_p_value_is_at_least_one_in_the_number_of_resamples() -> None:
    assert paired_difference([1.0] * 50, [0.0] * 50).p_value == 1e-4
    assert paired_difference([1.0, 0.9] * 50, [0.0] * 100).p_value == 1e-4


def test_differences_that_cancel_but_for_rounding_count_on_both_sides() -> None:
    # 0.3 - 0.1 - 0.2 is -2.8e-17, so that most resampled means are just below 0.
    assert paired_difference([0.3 - 0.1, 0.2], [0.2, 0.2]).p_value == 1.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_p_value_does_not_depend_on_which_comes_first(values: list[float]) -> None:
    zeros = [0.0] * len(values)

    forward, backward = paired_difference(values, zeros), paired_difference(zeros, values)

    assert forward.p_value == backward.p_value


def test_p_value_and_interval_agree_on_whether_there_is_a_difference() -> None:
    clear = paired_difference([1.0] * 15 + [-1.0] * 3 + [0.0] * 30, [0.0] * 48)
    unclear = paired_difference([1.0] * 9 + [-1.0] * 5 + [0.0] * 30, [0.0] * 44)

    assert clear.interval.low > 0.0 and clear.p_value < 0.05
    assert unclear.interval.low < 0.0 and unclear.p_value > 0.05


def test_values_of_other_questions_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="3 values cannot be paired with 2"):
        paired_difference([1.0, 2.0, 3.0], [1.0, 2.0])


def test_interval_contains_its_ends() -> None:
    interval = Interval(-0.1, 0.2)

    assert -0.1 in interval and 0.2 in interval and 0 in interval
    assert 0.21 not in interval
    assert "text" not in interval


def test_mcnemar_is_the_binomial_test_on_the_discordant_questions() -> None:
    # 5 to 1: 2 * (1 + 6) / 2**6.
    first = [True] * 5 + [False] + [True] * 4
    second = [False] * 5 + [True] + [True] * 4

    assert mcnemar(first, second) == pytest.approx(14 / 64)


def test_mcnemar_without_discordant_questions_is_one() -> None:
    assert mcnemar([True, False], [True, False]) == 1.0


def test_holm_steps_down_and_never_falls() -> None:
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, then 1 * 0.04, which may not fall below the one before.
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})

    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(found) == ["a", "b", "c", "d"]


def test_holm_is_capped_at_one() -> None:
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}


def test_holm_of_no_tests_and_of_one() -> None:
    assert holm({}) == {}
    assert holm({("argo", 0.1): 0.03}) == {("argo", 0.1): 0.03}


@pytest.mark.parametrize("p_value", [-0.1, 1.1, float("nan")])
def test_holm_refuses_what_is_no_p_value(p_value: float) -> None:
    with pytest.raises(ValueError, match=f"argo: p_value={p_value}"):
        holm({"argo": p_value})


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_holm_keeps_the_order_of_p_values_whatever_order_they_come_in(
    p_values: list[float], random: Random
) -> None:
    family = dict(enumerate(p_values))
    shuffled = random.sample(list(family), len(family))
    found = holm(family)

    assert found == holm({key: family[key] for key in shuffled})
    by_raw = sorted(family, key=family.__getitem__)
    assert all(found[low] <= found[high] for low, high in pairwise(by_raw))
    assert all(family[key] <= found[key] <= min(1.0, len(family) * family[key]) for key in family)
