"""The baseline that tosses a fair coin."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.policies.base import Decision, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.thresholds import STOP_AT_THRESHOLD
from argo_ml.types import Action


@dataclass(frozen=True, slots=True)
class RandomChoice:
    """Retrieves or reasons with probability 1/2 each until U >= theta_star, ARGO's at the price."""

    theta_star: float

    def decide(self, state: State, rng: random.Random) -> Decision:
        if state.progress >= self.theta_star:
            return STOP_AT_THRESHOLD
        return Decision(Action.RETRIEVE if rng.random() < 0.5 else Action.REASON)

    def probabilities(self, progress: float) -> Mapping[Action, float]:
        if progress >= self.theta_star:
            return {Action.STOP: 1.0}
        return {Action.RETRIEVE: 0.5, Action.REASON: 0.5}


def random_choice(context: PolicyContext) -> RandomChoice:
    return RandomChoice(context.solution.theta_star)
