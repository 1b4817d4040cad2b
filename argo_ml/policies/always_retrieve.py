"""The baseline that never reasons."""

from __future__ import annotations

import random
from dataclasses import dataclass

from argo_ml.policies.base import Decision, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.thresholds import STOP_AT_THRESHOLD
from argo_ml.types import Action


@dataclass(frozen=True, slots=True)
class AlwaysRetrieve:
    """Retrieves until U >= theta_star, ARGO's at the same price."""

    theta_star: float

    def decide(self, state: State, rng: random.Random) -> Decision:
        if state.progress >= self.theta_star:
            return STOP_AT_THRESHOLD
        return Decision(Action.RETRIEVE)


def always_retrieve(context: PolicyContext) -> AlwaysRetrieve:
    return AlwaysRetrieve(context.solution.theta_star)
