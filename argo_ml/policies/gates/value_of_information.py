"""Actions by what they are expected to tell for their price (arXiv 2605.05701)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.fitted_models import LinearModel
from argo_ml.calibration.fitting import fit_ridge
from argo_ml.calibration.record import Calibration
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import unexplored
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Expectation, Prices, StopReason

SCARCITY = 1.0
"""How much dearer a step would be once the whole budget is used, as a share of its price; it grows
with the share that is used.

The paper's score has a penalty that grows as the budget is used up. Prices here are of utility, so
that its size is chosen anew. One price more at the end is the simplest that grows; of two steps the
second is half as dear again. A calibration to one step does not read it.
"""

Rises = Mapping[Action, LinearModel]
"""By action, how far p-hat is expected to rise, as a function of p-hat."""


@dataclass(frozen=True, slots=True)
class ValueOfInformation:
    """Takes the action of the largest value for its price, while that exceeds the price.

    The value is the expected rise of p-hat; as the budget of ``horizon`` steps is used up, prices
    count more. The paper's scores come from the model and the state of a search, and after it a
    finaliser may rewrite the answer; here they are regressions, and the last answer stands.
    """

    calibration: Calibration
    rises: tuple[Rises, ...]
    prices: Prices

    def required_probes(self, state: State) -> frozenset[Probe]:
        return CONFIDENCE_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        confidence = self.calibration.confidence(state)
        values = self.values(len(state.steps), confidence)
        best = max(values, key=values.__getitem__, default=Action.STOP)
        if best is Action.STOP or values[best] <= 0:
            return Decision(Action.STOP, StopReason.POLICY, expected=Expectation(confidence, 0.0))
        return Decision(best, expected=Expectation(confidence, values[best]))

    def values(self, n_steps: int, confidence: float) -> dict[Action, float]:
        """By action its value minus its price, dearer by the share of the budget that is used."""
        if n_steps >= len(self.rises):
            return {}
        dearer = 1 + SCARCITY * n_steps / len(self.rises)
        return {
            action: rise.value((confidence,)) - dearer * self.prices.with_probe(action)
            for action, rise in self.rises[n_steps].items()
        }


def value_of_information(context: PolicyContext) -> ValueOfInformation:
    """Raises `ConfigError` where nothing was explored."""
    calibration = context.calibrated
    horizon = min(calibration.horizon, context.max_steps)
    rises = fit_rises(calibration.exploration.within(horizon), horizon)
    if not rises[0]:
        raise unexplored("value_of_information", 1)
    return ValueOfInformation(calibration, rises, context.prices)


def fit_rises(explored: Exploration, horizon: int) -> tuple[Rises, ...]:
    """By the number of steps taken, how p-hat (of models that have not seen the question) rose."""
    pairs: defaultdict[tuple[int, Action], list[tuple[float, float]]] = defaultdict(list)
    for edge in explored.edges:
        before, after = edge.before.confidence, edge.after.confidence
        pairs[len(edge.before.actions), edge.action].append((before, after - before))
    return tuple(
        {
            action: fit_ridge([(before,) for before, _ in own], [rise for _, rise in own])
            for (at, action), own in pairs.items()
            if at == n_steps
        }
        for n_steps in range(horizon)
    )
