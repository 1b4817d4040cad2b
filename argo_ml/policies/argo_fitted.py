"""ARGO by regression: the benefit of each action predicted from features, compared with its price.

An action's benefit is u = correct after - correct now, in {-1, 0, 1}, and what acting on from
there is worth, discounted. Fitted backwards from the horizon (fitted Q-iteration, Ernst, Geurts and
Wehenkel 2005), for the cell's price, on what the calibration has explored. Where deciding so does
not pay on questions left out, the best plan is followed (`argo_ml.policies.best_plan`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from argo_ml.calibration.exploration import Edge, Exploration
from argo_ml.calibration.fitted_models import LinearModel
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import Calibration
from argo_ml.policies.base import Decision, Policy, Probe, State
from argo_ml.policies.best_plan import fitted_where_it_pays
from argo_ml.policies.context import PolicyContext
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Expectation, Prices, StopReason

NEVER = -1.0
"""Benefit of an action that was never explored: no price makes it pay."""


@dataclass(frozen=True, slots=True)
class Gains:
    """Predicted benefits of the actions at one number of steps taken."""

    retrieve: LinearModel
    reason: LinearModel

    def net(self, inputs: Sequence[float], prices: Prices) -> dict[Action, float]:
        return {
            Action.RETRIEVE: self.retrieve.value(inputs) - prices.with_probe(Action.RETRIEVE),
            Action.REASON: self.reason.value(inputs) - prices.with_probe(Action.REASON),
        }

    def best(self, inputs: Sequence[float], prices: Prices) -> tuple[Action, float]:
        """The action that adds most to stopping, and how much; stopping, where none adds any."""
        net = self.net(inputs, prices)
        best = max(net, key=net.__getitem__)
        return (best, net[best]) if net[best] > 0 else (Action.STOP, 0.0)


@dataclass(frozen=True, slots=True)
class ArgoFitted:
    """Takes the action whose predicted benefit exceeds its price most; else it stops.

    ``gains`` are by the number of steps taken; beyond them it stops.
    """

    calibration: Calibration
    prices: Prices
    gains: tuple[Gains, ...]

    def required_probes(self, state: State) -> frozenset[Probe]:
        return CONFIDENCE_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        inputs = self.calibration.inputs(state)
        confidence = self.calibration.confidence(state, inputs)
        action, gain = self._choice(len(state.steps), inputs)
        reason = StopReason.POLICY if action is Action.STOP else None
        return Decision(action, reason, expected=Expectation(confidence, gain))

    def at(self, node: Node) -> Action:
        action, _ = self._choice(len(node.actions), node.features)
        return action

    def _choice(self, n_steps: int, inputs: Sequence[float]) -> tuple[Action, float | None]:
        if n_steps >= len(self.gains):
            return Action.STOP, None
        return self.gains[n_steps].best(inputs, self.prices)


def argo_fitted(context: PolicyContext) -> Policy:
    """Fit the benefits at the cell's price; no model is asked."""
    calibration, prices = context.calibrated, context.prices
    horizon = min(calibration.horizon, context.max_steps)
    gamma = context.solution.spec.gamma

    optional = calibration.optional_features

    def fit(ahead: int, explored: Exploration) -> ArgoFitted:
        gains = fit_gains(explored, prices, ahead, gamma, optional)
        return ArgoFitted(calibration, prices, gains)

    # What is to be gained after an action is the largest of several estimates, and so too large
    # (van Hasselt 2010): a policy that plans less far ahead may do better.
    fits = [partial(fit, ahead) for ahead in dict.fromkeys((1, horizon)) if ahead <= horizon]
    return fitted_where_it_pays(calibration, prices, horizon, fits)


def fit_gains(
    explored: Exploration,
    prices: Prices,
    horizon: int,
    gamma: float,
    optional: tuple[int, ...] = (),
) -> tuple[Gains, ...]:
    """Benefits at 0, 1, ... steps taken, fitted from the last to the first.

    ``gamma`` discounts what is gained after the action itself. Groups of ``optional`` features are
    used where that predicts better.
    """
    fitted: list[Gains] = []
    for n_steps in reversed(range(horizon)):
        if fitted:
            benefit = partial(_benefit, fitted[0], prices, gamma)
            fitted.insert(0, _fit_step(explored, n_steps, optional, benefit))
        else:
            fitted.append(explored.once(_own_gains, n_steps, optional))
    return tuple(fitted)


def _own_gains(explored: Exploration, n_steps: int, optional: tuple[int, ...]) -> Gains:
    """The gains of one more step, which no price changes."""
    return _fit_step(explored, n_steps, optional, _own_benefit)


def _benefit(onward: Gains, prices: Prices, gamma: float, edge: Edge) -> float:
    _, gained_after = onward.best(edge.after.features, prices)
    return _own_benefit(edge) + gamma * gained_after


def _own_benefit(edge: Edge) -> float:
    return float(edge.after.correct) - float(edge.before.correct)


def _fit_step(
    explored: Exploration, n_steps: int, optional: tuple[int, ...], benefit: Callable[[Edge], float]
) -> Gains:
    n_features = len(explored.nodes[0].features)

    def fit(action: Action) -> LinearModel:
        edges = explored.once(_edges, n_steps, action)
        return _fit(edges, list(map(benefit, edges)), n_features, optional)

    return Gains(fit(Action.RETRIEVE), fit(Action.REASON))


def _edges(explored: Exploration, n_steps: int, action: Action) -> tuple[Edge, ...]:
    return tuple(
        edge
        for edge in explored.edges
        if edge.action is action and len(edge.before.actions) == n_steps
    )


def _fit(
    edges: Sequence[Edge], targets: Sequence[float], n_features: int, optional: tuple[int, ...]
) -> LinearModel:
    """Ridge regression; where there is nothing to tell apart, the mean of the targets."""
    if len(edges) < 2 or np.ptp(targets) == 0.0:
        return LinearModel.constant(float(np.mean(targets)) if edges else NEVER, n_features)
    from argo_ml.calibration.fitting import fit_ridge

    return fit_ridge([edge.before.features for edge in edges], targets, optional)
