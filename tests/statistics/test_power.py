from __future__ import annotations

import math

import numpy as np
import pytest

from argo_ml.statistics.power import (
    detectable_difference,
    pairs_needed,
    pairs_to_confine,
    pairs_to_settle,
)

HALF_CHANGED = [1.0, 0.0] * 50
"""Standard deviation sqrt(0.25 * 100 / 99) = 0.50252."""


def test_detectable_difference_is_2_80_standard_errors() -> None:
    # 1.95996 + 0.84162 = 2.80159 at the 5 % level with power 80 %.
    assert detectable_difference(HALF_CHANGED) == pytest.approx(2.80159 * 0.50252 / 10, rel=1e-4)


def test_pairs_needed_grow_with_the_inverse_square() -> None:
    assert pairs_needed(HALF_CHANGED, 0.05) == math.ceil((2.801585 * 0.502519 / 0.05) ** 2)
    assert pairs_needed(HALF_CHANGED, 0.05) == 793


@pytest.mark.parametrize("differences", [[0.0, 0.0, 0.0], [1.0]])
def test_without_spread_nothing_is_known(differences: list[float]) -> None:
    assert detectable_difference(differences) is None
    assert pairs_needed(differences, 0.05) is None


def test_difference_to_tell_is_positive() -> None:
    with pytest.raises(ValueError, match=r"difference=0\.0: needs more than 0"):
        pairs_needed(HALF_CHANGED, 0.0)


@pytest.mark.parametrize("mean", [0.0, 0.002, 0.005])
def test_pairs_to_confine_keep_the_interval_within_the_margin_four_times_in_five(
    mean: float,
) -> None:
    spread = 0.1
    differences = [mean + spread * sign for sign in (-1, 1) for _ in range(500)]
    n = pairs_to_confine(differences, 0.01)
    assert n is not None

    draws = np.random.default_rng(0).normal(mean, spread / math.sqrt(n), 20_000)
    within = np.abs(draws) + 1.959964 * spread / math.sqrt(n) < 0.01

    assert within.mean() == pytest.approx(0.8, abs=0.01)


def test_a_mean_of_0_takes_a_third_more_pairs_than_one_end_alone() -> None:
    # (1.95996 + 1.28155)^2 instead of (1.95996 + 0.84162)^2.
    differences = [1.0, -1.0] * 500
    assert pairs_to_confine(differences, 0.1) == pytest.approx(10.5074 * 1.001 / 0.01, abs=1)


def test_what_lies_beyond_the_margin_is_settled_by_its_sign_alone() -> None:
    assert pairs_to_confine(HALF_CHANGED, 0.1) is None
    assert pairs_to_settle(HALF_CHANGED, 0.1) == pairs_needed(HALF_CHANGED, 0.5) == 8


def test_a_mean_that_is_the_margin_but_for_rounding_is_not_within_it() -> None:
    differences = [0.98] * 3 + [-0.02] * 97

    assert pairs_to_confine(differences, 0.01) is None
    assert pairs_to_settle(differences, 0.01) == pairs_needed(differences, 0.01)


@pytest.mark.parametrize("size", [1e-17, 9e-10])
def test_a_mean_of_0_but_for_rounding_is_settled_by_the_margin(size: float) -> None:
    differences = [1.0 + size, -1.0 + size] * 500

    assert pairs_to_settle(differences, 0.1) == pairs_to_confine([1.0, -1.0] * 500, 0.1)


def test_a_margin_that_is_hardly_missed_takes_more_pairs_than_can_be_counted() -> None:
    differences = [0.1 - 2e-9 + sign for sign in (-1, 1) for _ in range(50)]

    needed = pairs_to_confine(differences, 0.1)

    assert needed is not None
    assert needed > 10**18


@pytest.mark.parametrize("cost", [0.02, 0.002])
def test_small_costs_are_settled_once_unseen_answers_cannot_outweigh_them(cost: float) -> None:
    # ln 0.025 / ln 0.99 = 367.04: by the sign of a mean of 0.01, or within a margin of as much.
    assert pairs_to_settle([cost] * 50 + [0.0] * 50, 0.01) == 368
