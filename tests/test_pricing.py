"""Utilities in money, recomputed by hand."""

from __future__ import annotations

import pytest

from argo_ml.pricing import MoneyPrices, Tariff
from argo_ml.types import Usage

EUROS = MoneyPrices(
    value_of_correct=2.0,
    per_1m_prompt_tokens=500.0,
    per_1m_completion_tokens=2_000.0,
    per_second=0.01,
    of_wrong=0.5,
    of_abstaining=0.1,
    unit="EUR",
)
PER_RETRIEVAL = 0.05
QUESTIONS = [
    # right, abstained, retrievals, prompt tokens, completion tokens, seconds, EUR by hand
    (True, False, 0, 200, 10, 1.0, 2.0 - (0.10 + 0.02 + 0.01)),
    (True, False, 1, 800, 30, 2.5, 2.0 - (0.05 + 0.40 + 0.06 + 0.025)),
    (False, False, 0, 180, 12, 1.0, -0.5 - (0.09 + 0.024 + 0.01)),
    (False, False, 3, 2_400, 90, 7.0, -0.5 - (0.15 + 1.20 + 0.18 + 0.07)),
    (False, True, 0, 210, 0, 0.5, -0.1 - (0.105 + 0.005)),
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_utility_is_worth_less_price_of_all_that_was_used(
    question: tuple[bool, bool, int, int, int, float, float],
) -> None:
    correct, abstained, n_retrievals, prompt, completion, seconds, by_hand = question
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion, seconds=seconds)

    spent = EUROS.spent(usage, n_retrievals, PER_RETRIEVAL)

    assert EUROS.utility(correct, abstained, spent) == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("question", QUESTIONS)
def test_accuracy_less_cost_says_the_same_in_units_of_the_stake(
    question: tuple[bool, bool, int, int, int, float, float],
) -> None:
    correct, abstained, n_retrievals, prompt, completion, seconds, by_hand = question
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion, seconds=seconds)
    tariff = Tariff(EUROS, PER_RETRIEVAL / 2.5)

    utility = correct - tariff.cost(usage, n_retrievals, abstained)

    assert EUROS.stake == 2.5
    in_euros = EUROS.stake * utility - EUROS.of_wrong
    assert in_euros == pytest.approx(by_hand, abs=1e-12)


def test_what_actions_are_expected_to_cost_is_what_they_used_on_average() -> None:
    measured = {
        "retrieve": Usage(prompt_tokens=1_000, completion_tokens=25, seconds=1.5),
        "reason": Usage(prompt_tokens=300, completion_tokens=50, seconds=0.5),
        "probe": Usage(prompt_tokens=200, completion_tokens=10, seconds=0.2),
    }

    prices = EUROS.expected(measured, PER_RETRIEVAL / 2.5)

    assert prices.retrieve == pytest.approx((0.05 + 0.5 + 0.05 + 0.015) / 2.5)
    assert prices.reason == pytest.approx((0.15 + 0.1 + 0.005) / 2.5)
    assert prices.probe == pytest.approx((0.1 + 0.02 + 0.002) / 2.5)


def test_what_nothing_is_paid_for_keeps_a_price_that_a_process_takes() -> None:
    prices = MoneyPrices(value_of_correct=1.0).expected({}, 0.0)

    assert (prices.retrieve, prices.reason, prices.probe) == (1e-6, 1e-6, 0.0)
