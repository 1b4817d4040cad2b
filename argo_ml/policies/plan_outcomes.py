"""What every explored plan came to for every question, as one table, whatever the price."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argo_ml.calibration.exploration import Exploration
from argo_ml.types import Action, Prices

Floats = NDArray[np.float64]
Plan = tuple[Action, ...]


@dataclass(frozen=True, eq=False)
class PlanOutcomes:
    """``benefits`` (questions, plans): right after the plan minus right without any step.

    ``plans`` are those that were explored for every question, the shortest first, so that the first
    is the one without any step; ``accuracies`` are the shares of questions that are right after
    them. ``questions`` are their numbers in the calibration.
    """

    questions: tuple[int, ...]
    plans: tuple[Plan, ...]
    accuracies: tuple[float, ...]
    benefits: Floats

    def costs(self, prices: Prices) -> Floats:
        """What each plan costs without probes."""
        return np.array([sum(map(prices.of, plan)) for plan in self.plans], dtype=float)


def plan_outcomes(explored: Exploration) -> PlanOutcomes:
    roots = [node.question for node in explored.nodes if not node.actions]
    counts = Counter(node.actions for node in explored.nodes)
    names = sorted((own for own, count in counts.items() if count == len(roots)), key=len)
    correct = np.array(
        [[explored.places[number, own].correct for own in names] for number in roots], dtype=float
    )
    plans = tuple(tuple(map(Action, own)) for own in names)
    accuracies = tuple(map(float, correct.mean(axis=0)))
    return PlanOutcomes(tuple(roots), plans, accuracies, correct - correct[:, :1])
