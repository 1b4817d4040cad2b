"""What a study maximises, and when a trial is clearly not worth going on with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from argo_ml.config import StudySpec
from argo_ml.results.metrics import reason_calls, retrieval_calls
from argo_ml.results.records import QuestionResult
from argo_ml.statistics.signed_rank import signed_rank_p_value
from argo_ml.types import Prices

P_THRESHOLD = 0.05
"""Of one test; with the four tests at 10, 20, 40 and 80 of 100 questions, one in eight trials that
are as good as the best is stopped (Armitage, McPherson and Rowe 1969, table 2)."""
STARTUP_QUESTIONS = 10
"""Before so many questions no trial is stopped."""

Rows = Sequence[QuestionResult]


@dataclass(frozen=True, slots=True)
class Valuation:
    """What a question's result is worth at given prices, whatever price its episode ran at."""

    prices: Prices
    mu: float

    def cost(self, row: QuestionResult) -> float:
        prices = self.prices
        return prices.retrieve * retrieval_calls(row) + prices.reason * reason_calls(row)

    def utility(self, row: QuestionResult) -> float:
        """correct - mu x cost"""
        return row.correct - self.mu * self.cost(row)

    def mean_utility(self, rows: Rows) -> float:
        return math.fsum(map(self.utility, rows)) / len(rows)


class Objective(Protocol):
    """One or more values of a trial, each with its direction."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def directions(self) -> tuple[StudyDirection, ...]: ...

    def per_question(self, row: QuestionResult) -> tuple[float, ...]:
        """Values of one question, whose means over questions are the trial's values."""


@dataclass(frozen=True)
class Utility:
    """Accuracy - mu x cost at one price."""

    valuation: Valuation
    names = ("utility",)
    directions = (StudyDirection.MAXIMIZE,)

    def per_question(self, row: QuestionResult) -> tuple[float, ...]:
        return (self.valuation.utility(row),)


@dataclass(frozen=True)
class AccuracyCost:
    """Accuracy up, cost at one price down."""

    valuation: Valuation
    names = ("accuracy", "cost")
    directions = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)

    def per_question(self, row: QuestionResult) -> tuple[float, ...]:
        return (float(row.correct), self.valuation.cost(row))


@dataclass(frozen=True)
class EveryPrice:
    """Utility without retrievals' price up, retrievals down: the front has the best at any price.

    Utility at price c is (accuracy - mu c_p n_reason) - mu c n_retrieve: linear in these two, so
    whatever c is, its largest value is on their Pareto front.
    """

    valuation: Valuation
    names = ("utility_before_retrievals", "retrieval_calls")
    directions = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)

    def per_question(self, row: QuestionResult) -> tuple[float, ...]:
        reasoning = self.valuation.mu * self.valuation.prices.reason * reason_calls(row)
        return (row.correct - reasoning, float(retrieval_calls(row)))


def make_objective(spec: StudySpec) -> Objective:
    valuation = valuation_at(spec, spec.retrieval_costs[0])
    if len(spec.retrieval_costs) > 1:
        return EveryPrice(valuation)
    return Utility(valuation) if spec.objective == "utility" else AccuracyCost(valuation)


def valuation_at(spec: StudySpec, retrieval_cost: float) -> Valuation:
    return Valuation(Prices(retrieval_cost, spec.reason_cost), spec.mu)


def values(objective: Objective, rows: Rows) -> list[float]:
    columns = zip(*(objective.per_question(row) for row in rows), strict=True)
    return [math.fsum(column) / len(rows) for column in columns]


def front(objective: Objective, complete: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that no other dominates, by rising first value; of equal ones the first.

    With one value that is the best trial alone.
    """
    signs = _signs(objective)

    def rank(trial: FrozenTrial) -> tuple[float, ...]:
        return tuple(-sign * value for sign, value in zip(signs, trial.values, strict=True))

    members: list[FrozenTrial] = []
    least_second = math.inf
    for trial in sorted(complete, key=lambda trial: (rank(trial), trial.number)):
        second = rank(trial)[-1] if len(signs) > 1 else 0.0
        if second < least_second:
            members.insert(0, trial)
            least_second = second
    return members if len(signs) > 1 else members[-1:]


def _signs(objective: Objective) -> list[int]:
    return [1 if way is StudyDirection.MAXIMIZE else -1 for way in objective.directions]


def is_clearly_worse(objective: Objective, rows: Rows, best: Sequence[Rows]) -> bool:
    """Whether a trial with these first questions can be stopped.

    ``best`` are the complete trials that are not dominated; they saw the same questions first.
    """
    if len(rows) < STARTUP_QUESTIONS or not best:
        return False
    if len(objective.directions) == 1:
        [leader] = best
        return _wilcoxon(
            [objective.per_question(row)[0] for row in rows],
            [objective.per_question(row)[0] for row in leader],
        )
    return any(_dominates(objective, other, rows) for other in best)


def _wilcoxon(own: Sequence[float], leader: Sequence[float]) -> bool:
    """What Optuna's `WilcoxonPruner` decides on values of single questions.

    It is asked without a study: reporting every question to the storage would take longer than
    answering it. A trial whose mean is no worse than the leader's over all questions goes on.
    """
    if sum(leader) / len(leader) <= sum(own) / len(own):
        return False
    differences = np.subtract(own, leader[: len(own)])
    return signed_rank_p_value(differences) < P_THRESHOLD


def _dominates(objective: Objective, other: Rows, rows: Rows) -> bool:
    """Whether ``other`` is no worse in all and better in one value, by paired t intervals.

    The trial's confidence region is then dominated: Student's interval of each paired difference,
    Bonferroni-corrected over the values.
    """
    from scipy import stats  # type: ignore[import-untyped]

    differences = np.array(
        [
            np.subtract(objective.per_question(a), objective.per_question(b))
            for a, b in zip(other, rows, strict=False)
        ]
    )
    signs = _signs(objective)
    gains = differences * signs
    n = len(gains)
    quantile = stats.t.ppf(1 - P_THRESHOLD / len(signs), n - 1)
    lowest = gains.mean(axis=0) - quantile * gains.std(axis=0, ddof=1) / math.sqrt(n)
    return bool((lowest >= 0).all() and (lowest > 0).any())


def knee(points: Sequence[Sequence[float]], objective: Objective) -> int:
    """Index of the point farthest above the line through the ends of a front of two values.

    Values are scaled to the front's ranges (Das 1999, characterising the knee of a Pareto curve).
    A front that is a line or a point has its knee where the first value is best.
    """
    signs = _signs(objective)
    scaled = np.array(points, dtype=float) * signs
    spans = np.ptp(scaled, axis=0)
    scaled = (scaled - scaled.min(axis=0)) / np.where(spans > 0, spans, 1)
    # The ends are (1, 0) and (0, 1): the distance from their line grows with the sum.
    sums = scaled.sum(axis=1)
    return max(range(len(points)), key=lambda index: (round(float(sums[index]), 9), *scaled[index]))
