"""What counts as success of the protocol's claim."""

from __future__ import annotations

import numpy as np

from benchmarks.claim_verdict import (
    Judged,
    halves_retrievals,
    is_shown,
    mean_gain,
    price_rows,
)


def judged(price: float, gain: float, n: int = 400) -> Judged:
    """A gain that varies over questions, over the better of two plans."""
    noise = np.random.default_rng(0).normal(0, 0.05, n)
    plain = np.full(n, 0.4)
    return Judged(price, plain + gain + noise, {"never": plain, "single": plain - 0.1})


def test_gain_is_over_the_plan_that_is_best_on_these_questions() -> None:
    own = judged(0.1, 0.05)

    assert own.best_fixed == "never"
    [row] = price_rows([own])
    assert abs(row["gain"] - 0.05) < 0.01 and row["low"] > 0.04 and row["Holm's p"] < 0.01


def test_claim_needs_six_prices_and_none_that_loses() -> None:
    good = [judged(price / 10, 0.05) for price in range(1, 8)]
    bad = [judged(price / 10, 0.0) for price in range(1, 3)]
    loses = [judged(0.9, -0.05)]

    assert all(is_shown(price_rows(good), mean_gain(good)).values())
    parts = is_shown(price_rows(good[:5] + bad), mean_gain(good[:5] + bad))
    assert [*parts.values()] == [True, False, True]
    parts = is_shown(price_rows(good + loses), mean_gain(good + loses))
    assert [*parts.values()] == [True, True, False]


def test_half_the_retrievals_count_only_with_the_accuracy() -> None:
    always = {"accuracy": 0.5, "retrieval_calls": 2.0}

    assert halves_retrievals(0.49, 1.0, always)
    assert not halves_retrievals(0.48, 1.0, always)
    assert not halves_retrievals(0.5, 1.1, always)
