"""Prices in the user's own unit (money, seconds, tokens), as arithmetic.

A right answer is worth ``value_of_correct``, a wrong one costs ``of_wrong`` and one withheld
``of_abstaining``. What a question cost is what it really used: retrievals, prompt tokens,
completion tokens and seconds. In units of the difference between a right and a wrong answer (the
`stake`) this is the cost that utility takes off accuracy, so that strategies compare alike in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from argo_ml.types import Prices, Usage

MILLION = 1_000_000
RETRIEVE, REASON, PROBE = "retrieve", "reason", "probe"
"""What the use of is measured: an action of either kind, and a look at the answer."""
LEAST = 1e-6
"""Smallest expected price of an action: the decision process takes none that is not above 0."""


class Used(Protocol):
    """What calls of a language model used, or what they used on average."""

    @property
    def prompt_tokens(self) -> float: ...

    @property
    def completion_tokens(self) -> float: ...

    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Spent:
    """What a question cost, by what it was paid for."""

    retrievals: float
    prompt_tokens: float
    completion_tokens: float
    seconds: float

    @property
    def total(self) -> float:
        return self.retrievals + self.prompt_tokens + self.completion_tokens + self.seconds


@dataclass(frozen=True, slots=True)
class MoneyPrices:
    """All prices but that of a retrieval, in one unit; ``unit`` is its name."""

    value_of_correct: float
    per_1m_prompt_tokens: float = 0.0
    per_1m_completion_tokens: float = 0.0
    per_second: float = 0.0
    of_wrong: float = 0.0
    of_abstaining: float = 0.0
    unit: str = ""

    @property
    def stake(self) -> float:
        """What a right answer is worth more than a wrong one."""
        return self.value_of_correct + self.of_wrong

    def share(self, amount: float) -> float:
        """An amount in units of the stake."""
        return round(amount / self.stake, 10)

    @property
    def prices_usage(self) -> bool:
        """Whether tokens or seconds cost anything."""
        return any((self.per_1m_prompt_tokens, self.per_1m_completion_tokens, self.per_second))

    def of_usage(self, usage: Used) -> float:
        """The price of tokens and seconds."""
        return self.spent(usage, 0, 0.0).total

    def spent(self, usage: Used, n_retrievals: int, per_retrieval: float) -> Spent:
        return Spent(
            n_retrievals * per_retrieval,
            usage.prompt_tokens * self.per_1m_prompt_tokens / MILLION,
            usage.completion_tokens * self.per_1m_completion_tokens / MILLION,
            usage.seconds * self.per_second,
        )

    def amount(self, usage: Used, n_retrievals: int, share: float) -> float:
        """What a question cost, in the unit; ``share`` is the price of a retrieval in units of the
        stake."""
        return self.spent(usage, n_retrievals, share * self.stake).total

    def utility(self, is_correct: bool, has_abstained: bool, spent: Spent) -> float:
        """What a question came to, in the unit."""
        if is_correct:
            return self.value_of_correct - spent.total
        return -(self.of_abstaining if has_abstained else self.of_wrong) - spent.total

    def cost(self, usage: Used, n_retrievals: int, has_abstained: bool, share: float) -> float:
        """What utility takes off being right: the question's cost in units of the stake.

        ``share`` is the price of a retrieval in that unit. Abstaining is priced against being
        wrong, so that ``stake * (correct - cost) - of_wrong`` is `utility`.
        """
        paid = n_retrievals * share + self.of_usage(usage) / self.stake
        return paid + has_abstained * (self.of_abstaining - self.of_wrong) / self.stake

    def expected(self, measured: Mapping[str, Used], share: float) -> Prices:
        """What actions and looks are expected to cost, in units of the stake.

        ``measured`` is what they used on average, ``share`` the price of a retrieval in that unit.
        """
        retrieve, reason, probe = (
            self.of_usage(measured.get(name, Usage())) / self.stake
            for name in (RETRIEVE, REASON, PROBE)
        )
        return Prices(max(share + retrieve, LEAST), max(reason, LEAST), max(probe, 0.0))


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a question costs at one price of a retrieval, ``share`` of the stake."""

    prices: MoneyPrices
    share: float

    def cost(self, usage: Used, n_retrievals: int, has_abstained: bool) -> float:
        return self.prices.cost(usage, n_retrievals, has_abstained, self.share)
