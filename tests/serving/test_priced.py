"""Prices of a request, in shares of a right answer and in the caller's own unit."""

from __future__ import annotations

from typing import Any

import pytest
from builders.policy_files import published

from argo_ml.config import CellSpec, build
from argo_ml.pricing import MoneyPrices
from argo_ml.serving.priced import PricedPolicies, RequestPrice, amounts, named_price
from argo_ml.serving.published import PolicyFiles, StrategyRange
from argo_ml.serving.questions import RequestError, read_asked
from argo_ml.types import Usage

EUROS = {"value_of_correct": 2.0, "price_per_1m_prompt_tokens": 500.0, "price_unit": "EUR"}


def policies(**spec: Any) -> PricedPolicies:
    return policies_of("single", **spec)


def policies_of(strategy: str, **spec: Any) -> PricedPolicies:
    values = {"strategy": strategy, "retrieval_cost": 0.1, "calibration": "", **spec}
    ranges = StrategyRange(strategy=strategy, high=0.2), StrategyRange(strategy="never")
    return PricedPolicies(PolicyFiles(published(values, *ranges)), build(CellSpec, values))


def price(made: PricedPolicies, **values: Any) -> RequestPrice:
    return made.price_of(read_asked({"question": "Q?", **values}))


def test_without_prices_the_published_one_holds() -> None:
    assert price(policies()) == RequestPrice(0.1)
    assert price(policies(), retrieval_cost=0.3) == RequestPrice(0.3)


def test_money_is_counted_in_shares_of_what_is_at_stake() -> None:
    asked = price(policies(), value_of_correct=3, price_of_wrong=1, price_per_retrieval=0.8)

    assert asked == RequestPrice(0.2, MoneyPrices(3.0, of_wrong=1.0))
    assert policies().at(asked).spec.strategy == "never"


def test_what_a_request_does_not_name_is_as_published() -> None:
    asked = price(policies(**EUROS), price_per_retrieval=0.1)

    assert asked.money == MoneyPrices(2.0, per_1m_prompt_tokens=500.0, unit="EUR")
    assert asked.retrieval_cost == 0.05
    assert policies(**EUROS).at(asked).spec.strategy == "single"


@pytest.mark.parametrize("given", [{"value_of_correct": 4}, {"price_of_wrong": 2}])
def test_a_price_stays_what_it_is_in_the_unit_whatever_is_at_stake(given: dict[str, float]) -> None:
    asked = price(policies(**EUROS), **given)

    assert asked.money is not None
    assert asked.money.stake == 4.0
    assert asked.retrieval_cost * asked.money.stake == pytest.approx(0.1 * 2)


def test_what_steps_use_has_to_be_known_where_it_is_decided_by() -> None:
    euros = {"price_per_retrieval": 0.1, "price_per_second": 1, "value_of_correct": 2}
    by_price = policies_of("argo")

    assert price(policies(), **euros).retrieval_cost == 0.05
    with pytest.raises(RequestError, match="need a calibration that measured what actions use"):
        price(by_price, **euros)


@pytest.mark.parametrize("values", [{}, {"value_of_correct": 2.0}, EUROS])
def test_a_price_is_named_as_a_policy_takes_it(values: dict[str, Any]) -> None:
    made = policies(**values)
    money = build(CellSpec, {"retrieval_cost": 0.1, **values}).money
    assert price(made, **named_price(0.03, money)).retrieval_cost == pytest.approx(0.03)


def test_an_answer_says_its_price_in_the_callers_unit() -> None:
    asked = price(policies(**EUROS), price_per_retrieval=0.1)
    used = Usage(prompt_tokens=1000)

    assert amounts(asked, used, 2) == {"amount": pytest.approx(0.1 * 2 + 0.5), "price_unit": "EUR"}
    assert amounts(RequestPrice(0.1), used, 2) == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"price_per_retrieval": 0.1},
            "price_per_retrieval=0.1 is in your own unit: give value_of",
        ),
        ({"price_per_second": 3}, "price_per_second=3 is in your own unit"),
    ],
)
def test_a_unit_without_a_worth_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        price(policies(), **values)


def test_shares_are_refused_where_tokens_have_published_prices() -> None:
    with pytest.raises(
        RequestError, match=r"retrieval_cost=0.3 is in shares .* give price_per_ret"
    ):
        price(policies(**EUROS), retrieval_cost=0.3)
