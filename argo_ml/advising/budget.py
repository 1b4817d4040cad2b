"""What a study may take, and when it ends early for that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from argo_ml.config import BudgetFields
from argo_ml.errors import StoppedError
from argo_ml.models.cache.store import CallCache
from argo_ml.models.cache.summaries import Payment
from argo_ml.pricing import MoneyPrices
from argo_ml.progress import EPISODES, OnProgress

LOOKS_EVERY_S = 1.0


@dataclass
class Budget:
    """Raises `StoppedError` from the progress of a stage that has taken its part.

    ``paying_runs`` gives the runs whose calls count, from when the budget is made on: what was paid
    before a study was gone on with was another's. A stage may take ``share`` of everything; what it
    leaves is the next ones'.
    """

    limits: BudgetFields
    cache: CallCache
    paying_runs: Callable[[], list[str]]
    money: MoneyPrices | None = None
    began: float = field(default_factory=time.monotonic)
    _looked: float = 0.0
    _before: Payment = field(default_factory=Payment)

    def __post_init__(self) -> None:
        if self.limits.has_budget:
            self._before = self._paid()

    def watching(self, on_progress: OnProgress, share: float) -> OnProgress:
        """The observer of a stage, that ends it once ``share`` of the budget is spent."""
        if not self.limits.has_budget:
            return on_progress

        def watch(unit: str, n_finished: int, n_total: int) -> None:
            on_progress(unit, n_finished, n_total)
            if unit == EPISODES and n_finished < n_total:
                self._check(share)

        return watch

    def _check(self, share: float) -> None:
        now = time.monotonic()
        if now - self._looked < LOOKS_EVERY_S:
            return
        self._looked = now
        minutes, most = (now - self.began) / 60, self.limits.max_minutes
        if most is not None and minutes > share * most:
            raise StoppedError(f"max_minutes={most:g}: {minutes:.1f} minutes are spent")
        if self.limits.max_calls is not None:
            n_calls = self._paid().executed - self._before.executed
            if n_calls > share * self.limits.max_calls:
                raise StoppedError(f"max_calls={self.limits.max_calls}: {n_calls} calls are spent")
        if self.limits.max_cost is not None and self.money is not None:
            before, paid = (self.money.of_usage(own.usage) for own in (self._before, self._paid()))
            cost = paid - before
            if cost > share * self.limits.max_cost:
                raise StoppedError(
                    f"max_cost={self.limits.max_cost:g}: {cost:.3g} {self.money.unit} are spent"
                )

    def _paid(self) -> Payment:
        """What was ever executed for the study."""
        return sum(map(self.cache.paid_by, self.paying_runs()), Payment())
