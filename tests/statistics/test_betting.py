"""The bets by hand, and what they are worth on values of known mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from argo_ml.statistics.betting import STAKES, BettingEvidence, betting_interval, log_evidence


def test_capital_of_two_values_is_the_mean_over_stakes() -> None:
    # Above 0 with values of at least -1: a value of 1 multiplies by 1 + stake, one of -1 by
    # 1 - stake.
    by_hand = math.log(float(np.mean((1 + STAKES) * (1 - STAKES))))

    assert log_evidence(np.array([1.0, -1.0]), 0.0, -1.0)[0] == pytest.approx(by_hand)


def test_bets_that_a_mean_is_below_mirror_those_that_it_is_above() -> None:
    values = np.array([0.3, -0.2, 0.5, 0.1])

    above = log_evidence(values, 0.1, -1.0)
    below = log_evidence(-values, -0.1, 1.0, is_below=True)

    assert above[0] == pytest.approx(below[0])


def test_values_may_come_in_parts_and_in_any_order() -> None:
    values = np.array([[0.5, 0.0], [-0.5, 1.0], [1.0, -1.0]])
    evidence = BettingEvidence(0.0, -1.0)

    evidence.add(values[2:])
    evidence.add(values[:2])

    assert evidence.logs == pytest.approx(log_evidence(values, 0.0, -1.0))


def test_capital_ever_passes_20_in_at_most_5_percent_of_games_without_a_gain() -> None:
    draws = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], (300, 2000), p=[0.1, 0.8, 0.1])
    evidence, highest = BettingEvidence(0.0, -1.0), np.full(2000, -math.inf)

    for block in np.split(draws, 30):
        evidence.add(block)
        highest = np.maximum(highest, evidence.logs)

    assert (highest >= math.log(20)).mean() <= 0.05


def test_interval_holds_the_mean_and_is_narrower_than_hoeffdings() -> None:
    values = np.array([1.0] * 15 + [-1.0] * 5 + [0.0] * 80 * 5)

    interval = betting_interval(values, -1.0, 1.0, 0.05)

    assert interval.low < values.mean() < interval.high
    # sqrt(ln(2 / 0.05) / (2 n)) * 2, for one n alone.
    assert interval.high - interval.low < 2 * 2 * math.sqrt(math.log(40) / (2 * values.size))


def test_interval_of_equal_values_has_a_width() -> None:
    interval = betting_interval(np.zeros(50), -1.0, 1.0, 0.05)

    assert -0.15 < interval.low < 0.0 < interval.high < 0.15


@pytest.mark.parametrize("bound", [-2.0, -1.7, -0.1])
def test_interval_of_values_at_the_bound_ends_there(bound: float) -> None:
    lowest = betting_interval(np.full(41, bound), bound, 1.0, 0.05)
    highest = betting_interval(np.full(41, -bound), -1.0, -bound, 0.05)

    assert lowest.low == bound < lowest.high < 1.0
    assert -1.0 < highest.low < highest.high == -bound


def test_bounds_that_do_not_hold_are_refused() -> None:
    with pytest.raises(ValueError, match=r"mean=-1\.0: must lie above the bound -1\.0"):
        BettingEvidence(-1.0, -1.0)
    with pytest.raises(ValueError, match="beyond the bound"):
        log_evidence(np.array([-1.5]), 0.0, -1.0)
