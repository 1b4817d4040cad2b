"""The unit in which prices and utilities are shown: shares of a right answer, or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from argo_ml.config import money_of
from argo_ml.statistics.intervals import Estimate, ends_text

THOUSAND = 1000


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
    def label(self) -> str:
        """``EUR``, or a word where the user's unit has no name."""
        return self.name or "own unit"

    def amount(self, share: float) -> float:
        return share * self.factor

    def named(self, amount: float) -> str:
        """``0.4 EUR``: an amount in the unit."""
        return self._named(f"{amount:.4g}")

    def price(self, share: float) -> str:
        """``0.1``, or ``0.4 EUR``."""
        return self.named(self.amount(share))

    def at_price(self, share: float) -> str:
        """``c_r = 0.1``, or ``0.4 EUR per retrieval``."""
        return f"{self.price(share)} per retrieval" if self.is_own else f"c_r = {share:.4g}"

    def interval(self, estimate: Estimate) -> str:
        """``0.200 [0.000, 0.500]``, or ``0.8 EUR [0, 2]``."""
        if not self.is_own:
            return f"{estimate:z.3f}"
        return self._with_ends(estimate, lambda share: f"{self.amount(share):.3g}")

    def gain(self, estimate: Estimate) -> str:
        """``+0.031 [+0.004, +0.058]``, or ``+0.12 EUR [+0.02, +0.23]`` per question."""
        if not self.is_own:
            return f"{estimate:+z.3f}"
        return self._with_ends(estimate, lambda share: f"{self.amount(share):+.3g}")

    def worth_of(self, utility: float) -> float:
        """A mean utility in the unit, per question."""
        return self.amount(utility) - self.wrong

    def worth(self, utility: Estimate) -> Estimate:
        mean, low, high = map(self.worth_of, (utility.mean, utility.low, utility.high))
        return Estimate(mean=mean, low=low, high=high)

    def _with_ends(self, estimate: Estimate, written: Callable[[float], str]) -> str:
        ends = ends_text(estimate.low, estimate.high, written)
        return f"{self._named(written(estimate.mean))} {ends}"

    def _named(self, amount: str) -> str:
        return f"{amount} {self.name}".rstrip()


SHARES = Unit()


def unit_of(spec: Mapping[str, Any]) -> Unit:
    """The unit of the prices that a stored spec has."""
    money = money_of(spec)
    if money is None:
        return SHARES
    return Unit(money.stake, money.of_wrong, money.unit, is_own=True)
