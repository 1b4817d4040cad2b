"""ARGO by advantages: what each plan adds to stopping, learned once for all prices.

The advantage of a plan is u = correct after - correct now, in {-1, 0, 1}, and knows no price: one
regression a plan serves all prices. The plan whose predicted advantage exceeds its price most is
begun, and chosen anew after its first action. Which learner, and how far ahead, is decided at every
price on questions left out; where no way pays there by more than chance, the best plan is followed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Protocol

import numpy as np

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.fitted_models import LinearModel
from argo_ml.calibration.fitting import fit_ridge
from argo_ml.calibration.forests import fit_forest
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import Calibration
from argo_ml.policies.base import Decision, Policy, Probe, State
from argo_ml.policies.best_plan import Deciding, best_paying, follow_best_plan
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.questions import question_features
from argo_ml.policies.plan_outcomes import Plan
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Expectation, Prices, Question, StopReason


class Predictor(Protocol):
    """A fitted function of features."""

    def value(self, features: Sequence[float], /) -> float: ...


Rows = Sequence[Sequence[float]]
Learner = Callable[[Rows, Sequence[float], int], Predictor]
"""Fits targets to rows of inputs, of which the last so many are projections of the question's
embedding."""
Words = tuple[tuple[float, ...], ...]
"""By number of a question, the features of its words."""
N_ERRORS = 1.0
"""Standard errors by which deciding by the question has to pay on questions left out: with none it
gains more on some data, and loses more on others, see docs/policies.md."""
Advantages = Mapping[Plan, float]


@dataclass(frozen=True, slots=True)
class PlanPredictors:
    """Predicted advantages of the plans that are possible after so many steps."""

    by_plan: Mapping[Plan, Predictor]

    def advantages(self, inputs: Sequence[float]) -> Advantages:
        return {plan: own.value(inputs) for plan, own in self.by_plan.items()}


@dataclass(frozen=True, slots=True)
class ArgoAdvantage:
    """Begins the plan of at most ``ahead`` steps whose advantage exceeds its price most, if any.

    ``predictors`` are by the number of steps taken; beyond them it stops.
    """

    calibration: Calibration
    prices: Prices
    ahead: int
    predictors: tuple[PlanPredictors, ...]

    def required_probes(self, state: State) -> frozenset[Probe]:
        return CONFIDENCE_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        features = self.calibration.inputs(state)
        confidence = self.calibration.probability.probability(features)
        inputs = (*question_features(state.question), *features)
        if len(state.steps) >= len(self.predictors):
            return Decision(Action.STOP, StopReason.POLICY, expected=Expectation(confidence))
        advantages = self.predictors[len(state.steps)].advantages(inputs)
        action, gain = best_step(advantages, self.prices, self.ahead)
        reason = StopReason.POLICY if action is Action.STOP else None
        return Decision(action, reason, expected=Expectation(confidence, gain))


def best_step(advantages: Advantages, prices: Prices, ahead: int) -> tuple[Action, float]:
    """The first action of the plan that adds most to stopping, and how much; of equals the
    shortest. Stopping, where none adds any."""
    net = {
        plan: advantage - sum(map(prices.with_probe, plan))
        for plan, advantage in advantages.items()
        if len(plan) <= ahead
    }
    if not net:
        return Action.STOP, 0.0
    best = max(sorted(net, key=len), key=net.__getitem__)
    return (best[0], net[best]) if net[best] > 0 else (Action.STOP, 0.0)


@dataclass(frozen=True, slots=True)
class Fitting:
    """How advantages are fitted.

    With ``on_probabilities`` the targets are changes of the gold choice's probability, which are
    less noisy than those of right and wrong. ``n_optional`` features are projections.
    """

    learner: str
    on_probabilities: bool
    words: Words = ()
    n_optional: int = 0

    def inputs(self, node: Node) -> tuple[float, ...]:
        """The features of the question's words, then those of the state."""
        return (*(self.words[node.question] if self.words else ()), *node.features)

    def target(self, before: Node, after: Node) -> float:
        return self._right(after) - self._right(before)

    def _right(self, node: Node) -> float:
        if not self.on_probabilities or node.gold_probability is None:
            return float(node.correct)
        return node.gold_probability

    def predictor(self, pairs: Sequence[tuple[Node, Node]]) -> Predictor:
        rows = [self.inputs(before) for before, _ in pairs]
        targets = [self.target(*pair) for pair in pairs]
        if len(targets) < 2 or np.ptp(targets) == 0.0:
            return LinearModel.constant(float(np.mean(targets)), len(rows[0]))
        return LEARNERS[self.learner](rows, targets, self.n_optional)


def argo_advantage(context: PolicyContext) -> Policy:
    """Choose learner, targets and horizon at the cell's price; no model is asked."""
    calibration, prices = context.calibrated, context.prices
    horizon = min(calibration.horizon, context.max_steps)
    explored = calibration.exploration.within(horizon)
    ways = list(product(fittings(calibration), dict.fromkeys((min(1, horizon), horizon))))
    fits = [partial(_deciding, fitting, ahead, prices) for fitting, ahead in ways]
    best = best_paying(explored, fits, prices, N_ERRORS)
    if best is None:
        return follow_best_plan(calibration, prices, horizon)
    fitting, ahead = ways[best]
    return ArgoAdvantage(calibration, prices, ahead, explored.once(fit_advantages, fitting))


def fittings(calibration: Calibration) -> list[Fitting]:
    """The ways of fitting to choose among: with probabilities where every node has one."""
    questions = (
        Question(id=own.id, text=own.text, choices=own.choices) for own in calibration.questions
    )
    words = tuple(map(question_features, questions))
    n_optional = len(calibration.projection.components)
    has_all = all(node.gold_probability is not None for node in calibration.nodes)
    targets = (False, True) if has_all else (False,)
    return [Fitting(name, on, words, n_optional) for name, on in product(LEARNERS, targets)]


@dataclass(frozen=True, slots=True)
class _Remembering:
    """Reads every node once, whatever the number of prices."""

    predictors: tuple[PlanPredictors, ...]
    fitting: Fitting
    known: dict[tuple[int, tuple[str, ...]], Advantages] = field(default_factory=dict)

    def advantages(self, node: Node) -> Advantages:
        key, n_steps = (node.question, node.actions), len(node.actions)
        if n_steps >= len(self.predictors):
            return {}
        if key not in self.known:
            self.known[key] = self.predictors[n_steps].advantages(self.fitting.inputs(node))
        return self.known[key]


def _remembering(explored: Exploration, fitting: Fitting) -> _Remembering:
    return _Remembering(fit_advantages(explored, fitting), fitting)


def _deciding(fitting: Fitting, ahead: int, prices: Prices, explored: Exploration) -> Deciding:
    fitted = explored.once(_remembering, fitting)
    return lambda node: best_step(fitted.advantages(node), prices, ahead)[0]


def fit_advantages(explored: Exploration, fitting: Fitting) -> tuple[PlanPredictors, ...]:
    """Predictors of all explored plans at 0, 1, ... steps taken."""
    horizon = max(len(node.actions) for node in explored.nodes)
    return tuple(
        PlanPredictors(
            {
                plan: fitting.predictor(pairs)
                for plan, pairs in _explored_plans(explored, n_steps).items()
            }
        )
        for n_steps in range(horizon)
    )


def _explored_plans(explored: Exploration, n_steps: int) -> dict[Plan, list[tuple[Node, Node]]]:
    """By plan that goes on after ``n_steps`` steps, the nodes before and after it."""
    made: dict[Plan, list[tuple[Node, Node]]] = {}
    for node in explored.nodes:
        if len(node.actions) > n_steps:
            before = explored.places[node.question, node.actions[:n_steps]]
            made.setdefault(tuple(map(Action, node.actions[n_steps:])), []).append((before, node))
    return made


def _forest(rows: Rows, targets: Sequence[float], n_optional: int) -> Predictor:
    # With projections of the question's embedding trees decide worse, see docs/policies.md.
    return fit_forest([row[: len(row) - n_optional] for row in rows], targets)


LEARNERS: Mapping[str, Learner] = {"forest": _forest, "ridge": fit_ridge}
