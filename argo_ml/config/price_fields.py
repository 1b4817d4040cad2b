"""Prices in the user's own unit, beside those in shares of a right answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from argo_ml.config.base import (
    HelpSection,
    Positive,
    Spec,
    check_unrepeated,
    expanded,
    is_unset,
    operational,
    read_params,
    shown_value,
    split_commas,
)
from argo_ml.pricing import MoneyPrices

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
NotNegativeList = Annotated[tuple[NotNegative, ...], BeforeValidator(split_commas)]
PRICES_MISSING = (
    "value_of_correct={worth:g} needs price_per_retrieval: the prices of a retrieval to compare, 0 "
    "where it costs nothing but its tokens"
)
MONEY_PRICES: Mapping[str, str] = {
    "value_of_correct": "value_of_correct",
    "price_per_1m_prompt_tokens": "per_1m_prompt_tokens",
    "price_per_1m_completion_tokens": "per_1m_completion_tokens",
    "price_per_second": "per_second",
    "price_of_wrong": "of_wrong",
    "price_of_abstaining": "of_abstaining",
}
"""Parameters in the user's unit, and the fields of `MoneyPrices` that they are."""
IN_ANSWERS = ("retrieval_costs", "n_prices", "mu", "reason_cost", "probe_cost")
"""Parameters that price in shares of a right answer."""
logger = logging.getLogger(__name__)


class MoneyFields(Spec):
    """What a right answer is worth and what its making costs, in one unit of the user's."""

    section: ClassVar[HelpSection] = HelpSection.MONEY

    value_of_correct: Positive | None = Field(
        None,
        description="Worth of a right answer in your unit; empty: prices are shares of a right "
        "answer (retrieval_costs, reason_cost).",
    )
    price_per_1m_prompt_tokens: NotNegative = Field(
        0.0, description="Price of a million prompt tokens."
    )
    price_per_1m_completion_tokens: NotNegative = Field(
        0.0, description="Price of a million generated tokens."
    )
    price_per_second: NotNegative = Field(
        0.0, description="Price of a second of the model's time, such as a waiting user's."
    )
    price_of_wrong: NotNegative = Field(0.0, description="What a wrong answer costs.")
    price_of_abstaining: NotNegative = Field(0.0, description="What a withheld answer costs.")
    price_unit: str = Field(
        "", description="Name of the unit of these prices, such as EUR, for tables and figures."
    )
    prices_file: str = Field(
        "", **operational("YAML file of the prices of this section; options come first.")
    )

    @model_validator(mode="before")
    @classmethod
    def _read_prices_file(cls, values: object) -> object:
        if not isinstance(values, dict) or not values.get("prices_file"):
            return values
        path = expanded(str(values["prices_file"]), "prices_file")
        others = {name: value for name, value in values.items() if name != "prices_file"}
        given = {name: value for name, value in others.items() if not is_unset(value)}
        return {**others, **_prices_of(cls, path), **given}

    @model_validator(mode="after")
    def _money_whole(self) -> MoneyFields:
        named = [
            name
            for name in MoneyFields.model_fields
            if name not in ("value_of_correct", "prices_file")
            and getattr(self, name) != MoneyFields.model_fields[name].default
        ]
        if self.value_of_correct is None and named:
            raise ValueError(
                f"{named[0]}={getattr(self, named[0])} is in your own unit: give value_of_correct, "
                "what a right answer is worth in it"
            )
        return self

    @property
    def money(self) -> MoneyPrices | None:
        """The prices in the user's unit; None where prices are shares of a right answer."""
        return money_of({name: getattr(self, name) for name in MoneyFields.model_fields})


def money_of(values: Mapping[str, Any]) -> MoneyPrices | None:
    """The prices in the user's unit that a spec's stored fields hold; None without any."""
    if values.get("value_of_correct") is None:
        return None
    prices = {own: float(values[name]) for name, own in MONEY_PRICES.items()}
    return MoneyPrices(**prices, unit=str(values["price_unit"]))


def money_fields(money: MoneyPrices) -> dict[str, Any]:
    """The fields of a spec that hold these prices, as `money_of` reads them."""
    prices = {name: getattr(money, own) for name, own in MONEY_PRICES.items()}
    return {**prices, "price_unit": money.unit}


def _prices_of(spec_type: type[Spec], path: Path) -> dict[str, object]:
    """The prices of a file that ``spec_type`` takes; the others are named in the log.

    Raises `ConfigError` for a file that cannot be read and ValueError for a name in it that is no
    price.
    """
    known = [name for name in RetrievalPriceFields.model_fields if name != "prices_file"]
    values = read_params(path, "prices_file")
    for name in values:
        if name not in known:
            raise ValueError(f"prices_file={path}: {name} is no price; known: {', '.join(known)}")
    left_out = [name for name in values if name not in spec_type.model_fields]
    if left_out:
        names = ", ".join(left_out)
        logger.info("prices_file=%s: left out, as this command has none: %s", path, names)
    return {name: value for name, value in values.items() if name not in left_out}


class RetrievalPriceFields(MoneyFields):
    """The prices of a retrieval to compare, in the user's unit."""

    section: ClassVar[HelpSection] = HelpSection.MONEY

    price_per_retrieval: NotNegativeList = Field(
        (), description="Prices of a retrieval, comma-separated, beside the tokens that it takes."
    )

    @model_validator(mode="after")
    def _one_unit(self) -> RetrievalPriceFields:
        money = self.money
        if self.price_per_retrieval and money is None:
            raise ValueError(
                f"price_per_retrieval={shown_value(self.price_per_retrieval)} is in your own unit: "
                "give value_of_correct, what a right answer is worth in it"
            )
        if money is None:
            return self
        fields = type(self).model_fields
        for name in (name for name in IN_ANSWERS if name in fields):
            value = getattr(self, name)
            if value != fields[name].default:
                raise ValueError(
                    f"{name}={shown_value(value)} is in shares of a right answer and "
                    f"value_of_correct={self.value_of_correct:g} in your own unit: give prices in "
                    "one of the two"
                )
        check_unrepeated("price_per_retrieval", self.price_per_retrieval)
        return self

    def retrieval_shares(self) -> tuple[float, ...]:
        """The prices of a retrieval in units of the stake, ascending."""
        money = self.money
        if money is None:
            return ()
        return tuple(map(money.share, sorted(self.price_per_retrieval)))
