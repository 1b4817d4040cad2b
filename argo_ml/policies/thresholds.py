"""The rule that ARGO and every fixed pair of thresholds share."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.policies.base import Decision, State
from argo_ml.types import Action, StopReason

STOP_AT_THRESHOLD = Decision(Action.STOP, StopReason.THRESHOLD)


@dataclass(frozen=True, slots=True)
class ThresholdPolicy:
    """Retrieves while U < theta_cont, reasons while theta_cont <= U < theta_star, then stops."""

    theta_cont: float
    theta_star: float

    def __post_init__(self) -> None:
        if not 0 <= self.theta_cont <= self.theta_star:
            raise ValueError(
                f"theta_cont={self.theta_cont} must be from 0 to theta_star={self.theta_star}"
            )

    def decide(self, state: State, rng: random.Random) -> Decision:
        action = self._action(state.progress)
        return STOP_AT_THRESHOLD if action is Action.STOP else Decision(action)

    def probabilities(self, progress: float) -> Mapping[Action, float]:
        return {self._action(progress): 1.0}

    def _action(self, progress: float) -> Action:
        if progress >= self.theta_star:
            return Action.STOP
        return Action.RETRIEVE if progress < self.theta_cont else Action.REASON
