"""The unit in which prices and utilities are shown: shares of a right answer, or the user's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from argo_ml.config import money_of
from argo_ml.pricing import MoneyPrices
from argo_ml.results.records import Record
from argo_ml.statistics.intervals import ROUNDING, Estimate, ends_text

THOUSAND = 1000
DECIMALS = 3
"""Of shares of a right answer."""
WITHHELD = "what withholding an answer costs more than being wrong"
"""What is part of a cost in the user's own unit, and may bring it below 0."""


def amount_text(amount: float, digits: int, sign: str = "") -> str:
    """``0.0123``, ``30,100``: to so many digits, and never with an exponent where it is large.

    ``sign`` is ``+`` for differences.
    """
    rounded = float(f"{amount:.{digits}g}")
    if abs(rounded) < THOUSAND:
        return f"{rounded:{sign}z.{digits}g}"
    return f"{rounded:{sign},.0f}"


def decimals(share: float) -> int:
    """Decimals of a share: `DECIMALS`, or as many as show two digits of a small one."""
    if abs(share) <= ROUNDING:
        return DECIMALS
    return max(DECIMALS, 1 - math.floor(math.log10(abs(share))))


def cost_decimals(prices: Iterable[float]) -> int:
    """Decimals of costs, so that they show the least of the prices."""
    return max(map(decimals, prices), default=DECIMALS)


@dataclass(frozen=True, slots=True)
class Unit:
    """``factor`` times a share of a right answer is an amount, ``wrong`` what a wrong answer costs.

    ``is_own`` says whether it is the user's; ``name`` may be empty.
    """

    factor: float = 1.0
    wrong: float = 0.0
    name: str = ""
    is_own: bool = False

    @property
    def heading(self) -> str:
        """Of a column of prices: each is written by `price`."""
        return "price of a retrieval" if self.is_own else "c_r"

    @property
    def label(self) -> str:
        """``EUR``, or a word where the user's unit has no name."""
        return self.name or "own unit"

    def amount(self, share: float) -> float:
        return share * self.factor

    def own_price(self, share: float) -> float | None:
        """A price of a retrieval in the user's unit, to six digits as it was given; None in
        shares."""
        return float(f"{self.amount(share):.6g}") if self.is_own else None

    def named(self, amount: float) -> str:
        """``0.4 EUR``: an amount in the unit."""
        return self._named(amount_text(amount, 4))

    def price(self, share: float) -> str:
        """``0.1``, or ``0.4 EUR``."""
        return self.named(self.amount(share))

    def at_price(self, *shares: float) -> str:
        """``c_r = 0.1``, or ``0.4 EUR per retrieval``; several prices with commas."""
        prices = ", ".join(map(self.price, shares))
        return f"{prices} per retrieval" if self.is_own else f"c_r = {prices}"

    def estimated(self, share: float) -> str:
        """A price that was estimated: ``0.130``, ``0.00042``, or ``0.419 EUR``."""
        if not self.is_own:
            return f"{share:z.{decimals(share)}f}"
        return self._named(amount_text(self.amount(share), 3))

    def interval(self, estimate: Estimate) -> str:
        """The same with its interval: ``0.200 [0.000, 0.500]``, or ``0.8 EUR [0, 2]``."""
        if not self.is_own:
            return format(estimate, f"z.{decimals(estimate.mean)}f")
        return self._with_ends(estimate, lambda share: amount_text(self.amount(share), 3))

    def gain(self, estimate: Estimate) -> str:
        """``+0.031 [+0.004, +0.058]``, or ``+0.12 EUR [+0.02, +0.23]`` per question."""
        if not self.is_own:
            return f"{estimate:+z.3f}"
        return self._with_ends(estimate, lambda share: amount_text(self.amount(share), 3, "+"))

    def change(self, share: float) -> str:
        """``+0.031``, or ``+0.12 EUR``."""
        return self._named(amount_text(self.amount(share), 4, "+"))

    def worth_of(self, utility: float) -> float:
        """A mean utility in the unit, per question."""
        return self.amount(utility) - self.wrong

    @property
    def worth_heading(self) -> str:
        """Of a column of what 1,000 questions come to: each is written by `worth_of_thousand`."""
        return f"{self.label} per 1,000 questions"

    def worth_of_thousand(self, utility: float) -> str:
        return amount_text(THOUSAND * self.worth_of(utility), 4)

    def worth(self, utility: Estimate) -> Estimate:
        mean, low, high = map(self.worth_of, (utility.mean, utility.low, utility.high))
        return Estimate(mean=mean, low=low, high=high)

    def _with_ends(self, estimate: Estimate, written: Callable[[float], str]) -> str:
        ends = ends_text(estimate.low, estimate.high, written)
        return f"{self._named(written(estimate.mean))} {ends}"

    def _named(self, amount: str) -> str:
        return f"{amount} {self.name}".rstrip()


SHARES = Unit()


class StoredUnit(Record):
    """The unit of a record's prices, which are shares of what is at stake.

    ``stake`` times a share is an amount in the unit called ``name``; 1 where prices are shares of a
    right answer.
    """

    stake: float = 1.0
    price_of_wrong: float = 0.0
    name: str = ""
    is_own: bool = False

    @classmethod
    def of(cls, unit: Unit) -> StoredUnit:
        return cls(stake=unit.factor, price_of_wrong=unit.wrong, name=unit.name, is_own=unit.is_own)

    @property
    def shown(self) -> Unit:
        return Unit(self.stake, self.price_of_wrong, self.name, self.is_own)


def unit_of(spec: Mapping[str, Any]) -> Unit:
    """The unit of the prices that a stored spec has."""
    return unit_of_money(money_of(spec))


def unit_of_money(money: MoneyPrices | None) -> Unit:
    if money is None:
        return SHARES
    return Unit(money.stake, money.of_wrong, money.unit, is_own=True)
