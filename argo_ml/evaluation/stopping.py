"""Whether the questions asked until now tell, at every price, what a sweep is run for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from argo_ml.config import CellSpec, SweepSpec
from argo_ml.errors import ConfigError
from argo_ml.evaluation.headline import candidates_among
from argo_ml.evaluation.roles import is_fixed
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.pricing import Tariff
from argo_ml.results.metrics import utilities
from argo_ml.results.records import QuestionResult, Results, SequentialVerdict, Stopping
from argo_ml.statistics.columns import Column
from argo_ml.statistics.sequential import LEVEL, MARGIN, Range, SequentialDifference, Sign
from argo_ml.types import Usage

CellKey = tuple[str, float]
"""Strategy and price."""
PROBES_PER_DECISION = 4
"""The most calls that any policy makes for one decision: an answer and three samples."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A strategy at a price, and those whose best it is compared with."""

    strategy: str
    baselines: tuple[str, ...]
    price: float


class StoppingRule:
    """Takes the rows of shards in order, and says after each whether another one is needed."""

    def __init__(self, spec: SweepSpec, compared: Sequence[Compared]) -> None:
        self._mu = spec.mu
        n_families = number_of_families(compared, _costs_vary(spec))
        self._spans = {own: _span(spec, own) for own in compared}
        self._differences = {
            own: SequentialDifference(span, n_families) for own, span in self._spans.items()
        }
        self._n_asked = 0

    def add(self, rows: Mapping[CellKey, Sequence[QuestionResult]]) -> None:
        """Take the rows of one more shard, by cell."""
        self.add_utilities({cell: _utilities(own, self._mu) for cell, own in rows.items()})

    def add_utilities(self, by_cell: Mapping[CellKey, Column]) -> None:
        """The same by the utilities of the shard's questions."""
        for compared, difference in self._differences.items():
            own = by_cell[compared.strategy, compared.price]
            others = [by_cell[name, compared.price] for name in compared.baselines]
            differences = np.column_stack([own - other for other in others])
            span = self._spans[compared]
            difference.add(np.clip(differences, span.low, span.high))
        self._n_asked += len(next(iter(by_cell.values())))

    @property
    def is_decided(self) -> bool:
        return all(own.sign is not Sign.OPEN for own in self._differences.values())

    def record(self, n_available: int) -> Stopping:
        """What is kept of it with the results."""
        return Stopping(
            n_asked=self._n_asked,
            n_available=n_available,
            is_decided=self.is_decided,
            level=LEVEL,
            margin=MARGIN,
            verdicts=tuple(
                SequentialVerdict(
                    strategy=compared.strategy,
                    baselines=compared.baselines,
                    retrieval_cost=compared.price,
                    sign=difference.sign.value,
                    n_needed=difference.n_needed,
                    mean=difference.mean,
                    low=(interval := difference.interval).low,
                    high=interval.high,
                )
                for compared, difference in self._differences.items()
            ),
        )


def stopping_rule(spec: SweepSpec) -> StoppingRule | None:
    """None where all questions are to be asked.

    Raises `ConfigError` where no strategies run whose difference could be told.
    """
    return StoppingRule(spec, compared_in(spec)) if spec.until == "decided" else None


def compared_in(spec: SweepSpec) -> tuple[Compared, ...]:
    """What the headline asks about against the best fixed strategy; without any such strategy,
    retrieving once against not at all."""
    fixed = tuple(filter(is_fixed, spec.strategies))
    candidates = candidates_among(spec.strategies, spec.progress == "measured") if fixed else ()
    if not candidates and NEVER in fixed and SINGLE in fixed:
        candidates, fixed = (SINGLE,), (NEVER,)
    if not candidates:
        raise ConfigError(
            f"until=decided has nothing to decide among strategies={','.join(spec.strategies)}; "
            f"add {NEVER} and {SINGLE}"
        )
    return tuple(Compared(name, fixed, price) for name in candidates for price in spec.prices)


def number_of_families(compared: Sequence[Compared], costs_vary: bool = False) -> int:
    """How many differences are unlike each other.

    Retrieving once costs its price more than not at all on every question: what is known of this
    difference at one price is known at all, and no price needs a share of the level of its own.
    Unless ``costs_vary`` with the question.
    """
    if costs_vary:
        return len(compared)
    shifted = {own for own in compared if (own.strategy, own.baselines) == (SINGLE, (NEVER,))}
    return len(compared) - len(shifted) + bool(shifted)


def cell_key(spec: CellSpec) -> CellKey:
    return spec.strategy, spec.retrieval_cost


def replayed_stopping(spec: SweepSpec, results: Results) -> Stopping | None:
    """Where the rows of the results say that the sweep was to stop."""
    rule = stopping_rule(spec)
    if rule is None or results.stopping is None:
        return None
    columns = {
        (cell.strategy, cell.retrieval_cost): np.array(utilities(cell, spec.mu))
        for cell in results.cells
    }
    for start in range(0, results.stopping.n_asked, spec.shard_size):
        if rule.is_decided:
            break
        end = start + spec.shard_size
        rule.add_utilities({key: column[start:end] for key, column in columns.items()})
    return rule.record(results.stopping.n_available)


def _utilities(rows: Sequence[QuestionResult], mu: float) -> Column:
    return np.array([row.correct - mu * row.cost for row in rows], dtype=float)


def _costs_vary(spec: SweepSpec) -> bool:
    """Whether tokens or seconds are paid for, so that a step costs something else each time."""
    return spec.money is not None and spec.money.prices_usage


def _span(spec: SweepSpec, compared: Compared) -> Range:
    """What is priced by tokens or seconds has no largest cost: differences beyond a whole answer's
    worth more are counted as that."""
    beyond = 1.0 if _costs_vary(spec) else 0.0
    own = _largest_cost(spec, compared.strategy, compared.price) + beyond
    others = [_largest_cost(spec, name, compared.price) + beyond for name in compared.baselines]
    return Range(-1.0 - spec.mu * own, 1.0 + spec.mu * max(others))


def _largest_cost(spec: SweepSpec, strategy: str, price: float) -> float:
    """The most that a strategy can spend on a question."""
    if strategy in (NEVER, SINGLE):
        return price * (strategy == SINGLE)
    probes = PROBES_PER_DECISION * (spec.max_steps + 1) * spec.probe_cost
    withheld = max(0.0, Tariff(spec.money, price).cost(Usage(), 0, True)) if spec.money else 0.0
    return spec.max_steps * max(price, spec.reason_cost) + probes + withheld
