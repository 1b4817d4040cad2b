"""The full table of optimal actions, which two thresholds cannot always express."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.policies.base import Decision, State
from argo_ml.policies.context import PolicyContext
from argo_ml.types import Action, StopReason


@dataclass(frozen=True, slots=True)
class ArgoOptimal:
    """Acts by the table; between two states as in the lower one, the last that was reached."""

    states: tuple[float, ...]
    actions: tuple[Action, ...]

    def decide(self, state: State, rng: random.Random) -> Decision:
        action = self._action(state.progress)
        return Decision(action, StopReason.POLICY if action is Action.STOP else None)

    def probabilities(self, progress: float) -> Mapping[Action, float]:
        return {self._action(progress): 1.0}

    def _action(self, progress: float) -> Action:
        return self.actions[bisect_right(self.states, progress) - 1]


def argo_optimal(context: PolicyContext) -> ArgoOptimal:
    return ArgoOptimal(context.solution.states, context.solution.actions)
