from __future__ import annotations

import pytest

from argo_ml.results.unit import SHARES, Unit, amount_text, cost_decimals
from argo_ml.statistics.intervals import Estimate

TOKENS = Unit(factor=2000.0, name="tokens", is_own=True)


@pytest.mark.parametrize(
    ("amount", "digits", "text"),
    [
        (0.0123, 4, "0.0123"),
        (12.3, 4, "12.3"),
        (999.6, 3, "1,000"),
        (1254.5, 3, "1,250"),
        (1234.5, 4, "1,234"),
        (30099.9, 4, "30,100"),
        (-1254.5, 3, "-1,250"),
        (-0.0, 3, "0"),
    ],
)
def test_amounts_are_written_without_an_exponent(amount: float, digits: int, text: str) -> None:
    assert amount_text(amount, digits) == text


def test_large_amounts_are_rounded_with_their_interval() -> None:
    estimate = Estimate(mean=0.6254, low=0.41, high=0.8117)

    assert TOKENS.interval(estimate) == "1,250 tokens [820, 1,620]"
    assert TOKENS.gain(estimate) == "+1,250 tokens [+820, +1,620]"
    assert TOKENS.estimated(0.6254) == "1,250 tokens"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.13, "0.130"), (0.01, "0.010"), (0.00042, "0.00042"), (1e-17, "0.000"), (-0.0, "0.000")],
)
def test_small_prices_show_two_digits(share: float, text: str) -> None:
    assert SHARES.estimated(share) == text


def test_ends_have_as_many_decimals_as_the_price_between_them() -> None:
    assert SHARES.interval(Estimate(0.00042, 0.0, 0.001)) == "0.00042 [0.00000, 0.00100]"


def test_costs_show_the_least_price() -> None:
    assert cost_decimals((0.02, 0.2)) == 3
    assert cost_decimals((0.0, 0.0001, 0.2)) == 5


def test_a_price_is_the_one_that_was_given_whatever_its_share_was_rounded_to() -> None:
    euros = Unit(factor=3.0, name="EUR", is_own=True)
    assert euros.own_price(0.0333333333) == 0.1
    assert SHARES.own_price(0.1) is None


def test_several_prices_share_their_words() -> None:
    assert SHARES.at_price(0.02, 0.06) == "c_r = 0.02, 0.06"
    assert TOKENS.at_price(0.02, 0.7) == "40 tokens, 1,400 tokens per retrieval"
