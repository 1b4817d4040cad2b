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
from argo_ml.results.records import QuestionResult, ValuedRow
from argo_ml.statistics.columns import Column
from argo_ml.statistics.intervals import unseen_share
from argo_ml.statistics.permutation import sign_flip_p_value
from argo_ml.types import Prices

P_THRESHOLD = 0.05
"""Of one test. Of trials that are as good as the best, however rarely they gain, the four tests at
10, 20, 40 and 80 of 100 questions together stop 7 % at most, the seven of 1,000 questions 10 %."""
STARTUP_QUESTIONS = 10
"""Before so many questions no trial is stopped."""

Row = QuestionResult | ValuedRow
Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Valuation:
    """What a question's result is worth at given prices, whatever price its episode ran at."""

    prices: Prices
    mu: float

    def cost(self, row: Row) -> float:
        return self.prices.retrieve * retrieval_calls(row) + self.cost_beside_retrievals(row)

    def cost_beside_retrievals(self, row: Row) -> float:
        """The price of reasoning, and of calls that served a decision alone."""
        looks = row.probe_calls + row.sample_calls
        return self.prices.reason * reason_calls(row) + self.prices.probe * looks

    def utility(self, row: Row) -> float:
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

    @property
    def ideal(self) -> tuple[float, ...]:
        """The best values that a question can have: those of a right answer at no cost."""

    def per_question(self, row: Row) -> tuple[float, ...]:
        """Values of one question, whose means over questions are the trial's values."""


@dataclass(frozen=True)
class Utility:
    """Accuracy - mu x cost at one price."""

    valuation: Valuation
    names = ("utility",)
    directions = (StudyDirection.MAXIMIZE,)
    ideal = (1.0,)

    def per_question(self, row: Row) -> tuple[float, ...]:
        return (self.valuation.utility(row),)


@dataclass(frozen=True)
class AccuracyCost:
    """Accuracy up, cost at one price down."""

    valuation: Valuation
    names = ("accuracy", "cost")
    directions = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)
    ideal = (1.0, 0.0)

    def per_question(self, row: Row) -> tuple[float, ...]:
        return (float(row.correct), self.valuation.cost(row))


@dataclass(frozen=True)
class EveryPrice:
    """Utility without retrievals' price up, retrievals down: the front has the best at any price.

    Utility at price c is (accuracy - mu (cost beside retrievals)) - mu c n_retrieve: linear in
    these two, so whatever c is, its largest value is on their Pareto front.
    """

    valuation: Valuation
    names = ("utility_before_retrievals", "retrieval_calls")
    directions = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)
    ideal = (1.0, 0.0)

    def per_question(self, row: Row) -> tuple[float, ...]:
        others = self.valuation.mu * self.valuation.cost_beside_retrievals(row)
        return (row.correct - others, float(retrieval_calls(row)))


def make_objective(spec: StudySpec) -> Objective:
    valuation = valuation_at(spec, spec.retrieval_costs[0])
    if len(spec.retrieval_costs) > 1:
        return EveryPrice(valuation)
    return Utility(valuation) if spec.objective == "utility" else AccuracyCost(valuation)


def valuation_at(spec: StudySpec, retrieval_cost: float) -> Valuation:
    return Valuation(Prices(retrieval_cost, spec.reason_cost, spec.probe_cost), spec.mu)


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
    if len(rows) < STARTUP_QUESTIONS:
        return False
    return any(_dominates(objective, other, rows) for other in best)


def _dominates(objective: Objective, other: Rows, rows: Rows) -> bool:
    """Whether the questions tell that ``other`` is better in one value and not worse in any.

    A cost that is the same on every question is not worse. Equal answers say nothing: those to the
    questions to come may differ.
    """
    signs = np.array(_signs(objective))
    own, others = (
        np.array([objective.per_question(row) for row in of]) * signs for of in (rows, other)
    )
    leads = others[: len(own)] - own
    most_lost = (np.array(objective.ideal) * signs - others).max(axis=0)
    is_better = np.array(list(map(_is_told_above_zero, leads.T, most_lost)))
    is_same_cost = (signs < 0) & ~leads.any(axis=0)
    return bool((is_better | is_same_cost).all() and is_better.any())


def _is_told_above_zero(leads: Column, most_lost: float) -> bool:
    """Whether a trial is told to lead, which may lose ``most_lost`` on a question to come.

    Small costs of every question may stand against rare large gains of the other trial. So the
    differences that `sign_flip_p_value` adds as unseen are as large as the lead can be negative;
    and where no question shows such a gain, as many as can have escaped may have it
    (`unseen_share`).
    """
    mean = float(leads.mean())
    if mean <= 0.0 or most_lost == 0.0:
        return mean > 0.0
    if leads.min() >= 0.0 and mean <= unseen_share(leads.size) * most_lost:
        return False
    return sign_flip_p_value(leads / most_lost) < P_THRESHOLD


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
