"""The sign-flip test: never below what the number of differences allows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from argo_ml.statistics import permutation
from argo_ml.statistics.permutation import sign_flip_p_value


def enumerated(differences: list[float]) -> float:
    """The share of all sign vectors, one by one, two unseen differences among them."""
    if not any(differences):
        return 1.0
    sizes = np.array([*differences, 1.0, -1.0])
    signs = np.array(list(product((-1.0, 1.0), repeat=len(sizes))))
    extreme = abs(sum(differences)) - 1e-8
    return float(np.mean(np.abs(signs @ sizes) >= extreme))


@pytest.mark.parametrize(
    ("differences", "p_value"),
    [
        ([0.02] * 10, (1 + 2 / 1024) / 2),
        ([0.02, 0.5, 0.3], (1 + 2 / 8) / 2),
        ([1.0], 1.0),
        ([0.0, 0.0], 1.0),
        ([1.0, 0.0, 0.0, 0.0], 1.0),
        ([0.1, -0.1], 1.0),
        ([1.0] * 5 + [-1.0], 74 / 256),
    ],
)
def test_few_differences_give_the_exact_share(differences: list[float], p_value: float) -> None:
    assert sign_flip_p_value(np.array(differences)) == pytest.approx(p_value)


def test_ten_equal_differences_are_not_below_a_thousandth() -> None:
    assert sign_flip_p_value(np.full(10, 0.4)) > 0.001


@pytest.mark.parametrize("n", [40, 300])
def test_differences_of_many_digits_are_as_extreme_as_themselves(n: int) -> None:
    # Shares of an amount of money have ten decimals.
    assert sign_flip_p_value(np.full(n, -0.0333333333)) > 0.0
    alike = sign_flip_p_value(np.full(n, -0.0333333333)), sign_flip_p_value(np.full(n, -1 / 30))
    assert alike[0] == alike[1]


@pytest.mark.parametrize(("n", "price"), [(40, 0.02), (100, 0.02), (100, 0.05), (300, 0.02)])
def test_a_retrieval_that_helps_as_rarely_as_it_costs_is_worth_nothing(
    n: int, price: float
) -> None:
    """Its mean is 0, and signs are far from even: the level holds, and few helped say little."""
    told = 0.0
    for n_helped in range(n + 1):
        differences = np.full(n, -price)
        differences[:n_helped] += 1.0
        chance = float(binom.pmf(n_helped, n, price))
        if chance > 1e-6:
            told += chance * (sign_flip_p_value(differences) <= 0.05)
    assert told <= 0.05


def test_differences_that_cancel_but_for_rounding_are_no_difference() -> None:
    # 0.3 - 0.1 - 0.2 is -2.8e-17.
    assert sign_flip_p_value(np.array([0.3 - 0.1 - 0.2, 0.0])) == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.93, -0.02, 0.0, 0.11, 0.33, 1.0]), max_size=9))
def test_listing_sums_equals_trying_all_signs(differences: list[float]) -> None:
    assert sign_flip_p_value(np.array(differences)) == pytest.approx(enumerated(differences))


def test_many_different_sizes_are_drawn_and_never_give_zero() -> None:
    sizes = np.random.default_rng(1).uniform(0.5, 1.0, 60)

    assert sign_flip_p_value(sizes) == 1 / 10_000
    assert sign_flip_p_value(sizes) == sign_flip_p_value(sizes[::-1])


def test_drawn_signs_come_near_the_exact_share(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.array([1.0] * 14 + [-1.0] * 6)
    exact = sign_flip_p_value(differences)
    monkeypatch.setattr(permutation, "_MOST_SUMS", 1)

    assert sign_flip_p_value(differences) == pytest.approx(exact, abs=0.015)


def test_equal_strategies_are_told_apart_no_more_often_than_the_level_says() -> None:
    generator = np.random.default_rng(7)
    p_values = [
        sign_flip_p_value(generator.choice([-0.98, 0.02, 0.98, -0.02], 12)) for _ in range(400)
    ]

    assert np.mean(np.array(p_values) <= 0.05) <= 0.08
