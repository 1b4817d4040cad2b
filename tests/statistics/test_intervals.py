from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_ml.statistics.intervals import (
    Estimate,
    best_of,
    holm,
    interval_sign,
    mcnemar,
    questions_to_see,
    share_difference,
    unseen_share,
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


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (1e-18, 0.1, 0), (0.1, 0.1, 0)],
)
def test_an_interval_tells_a_sign_where_it_has_a_width_and_leaves_out_0(
    low: float, high: float, sign: int
) -> None:
    assert interval_sign(low, high) == sign


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_questions_to_see_are_the_fewest_that_leave_less_than_the_share_unseen(
    share: float,
) -> None:
    n = questions_to_see(share)

    assert unseen_share(n) < share <= unseen_share(n - 1)


def test_difference_of_independent_shares_has_newcombes_interval() -> None:
    # Newcombe (1998), table II, contrast a, method 10.
    found = share_difference(56, 70, 48, 80)

    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_the_best_of_equal_ones_is_the_first_or_the_one_before() -> None:
    means = {"first": 0.4, "second": 0.4 + 1e-16, "third": 0.3}

    assert best_of(means) == "first"
    assert best_of(means, before="second") == "second"
    assert best_of(means, before="third") == "first"
    assert best_of({**means, "fourth": 0.41}) == "fourth"


def test_an_estimate_without_spread_has_no_interval() -> None:
    assert f"{Estimate(-0.02, -0.02, -0.02):+z.3f}" == "-0.020 [no interval: no spread]"


def test_estimate_is_formatted_as_its_numbers_are() -> None:
    estimate = Estimate(-0.0001, -0.012, 0.0119)
    assert f"{estimate:.2f}" == "-0.00 [-0.01, 0.01]"
    assert f"{estimate:+z.3f}" == "+0.000 [-0.012, +0.012]"
