"""ARGO by advantages: what each plan adds to stopping, learned once for all prices.

The advantage of a plan is u = correct after - correct now, in {-1, 0, 1}, and knows no price: one
regression a plan serves all prices. The plan whose predicted advantage exceeds its price most is
begun, and chosen anew after its first action. Which learner, and how far ahead, is decided at every
price on questions left out; where no way pays there by more than chance, the best plan is followed.

With ``reads_metadata`` the fields of the questions' metadata that part the calibration, such as the
data set that they are from, are features as well. A question that lacks one, or has a value that no
question of the calibration has, is decided about by a policy that was made without them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from argo_ml.calibration.question_fields import (
    FEWEST_QUESTIONS,
    MOST_SEGMENTS,
    FieldIndicators,
)
from argo_ml.calibration.record import Calibration
from argo_ml.errors import ConfigError
from argo_ml.policies.base import Decision, Policy, Probe, State
from argo_ml.policies.best_plan import BestPlan, Deciding, best_paying, follow_best_plan
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.questions import question_features
from argo_ml.policies.parameters import AdvantageParameters
from argo_ml.policies.plan_outcomes import Plan
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Expectation, Prices, Question, StopReason


class Predictor(Protocol):
    """A fitted function of features."""

    def value(self, features: Sequence[float], /) -> float: ...

    def values(self, rows: Sequence[Sequence[float]], /) -> list[float]:
        """`value` of every row."""


Rows = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Columns:
    """What stands in a row of inputs: the first are indicators of metadata, the last are groups of
    ``optional`` features (`Calibration.optional_features`)."""

    n_indicators: int = 0
    optional: tuple[int, ...] = ()


Learner = Callable[[Rows, Sequence[float], Columns], Predictor]
"""Fits targets to rows of inputs."""
Words = tuple[tuple[float, ...], ...]
"""By number of a question, the indicators of its metadata and the features of its words."""
N_ERRORS = 1.0
"""Standard errors by which deciding by the question has to pay on questions left out: with none it
gains more on some data, and loses more on others, see docs/trials.md."""
Advantages = Mapping[Plan, float]
StateKey = tuple[str, tuple[str, ...]]
"""A state by its question and the actions that led there."""
NO_FIELDS = FieldIndicators()
NOTHING_TO_READ = (
    "argo_advantage.reads_metadata=true: no field of the calibration's metadata has at most "
    f"{MOST_SEGMENTS} values, two of them with {FEWEST_QUESTIONS} questions or more; calibrate on "
    "questions that have such a field, or leave reads_metadata out"
)


@dataclass(frozen=True, slots=True)
class PlanPredictors:
    """Predicted advantages of the plans that are possible after so many steps."""

    by_plan: Mapping[Plan, Predictor]

    def advantages(self, inputs: Sequence[float]) -> Advantages:
        return {plan: own.value(inputs) for plan, own in self.by_plan.items()}

    def advantages_of_all(self, rows: Rows) -> list[Advantages]:
        """`advantages` of every row."""
        predicted = {plan: own.values(rows) for plan, own in self.by_plan.items()}
        return [{plan: own[at] for plan, own in predicted.items()} for at in range(len(rows))]


@dataclass(frozen=True, slots=True)
class ArgoAdvantage:
    """Begins the plan of at most ``ahead`` steps whose advantage exceeds its price most, if any.

    ``predictors`` are by the number of steps taken; beyond them it stops. Of metadata they read
    ``indicators``. ``foreseen`` are the advantages of states that `foresee` has predicted.
    """

    calibration: Calibration
    prices: Prices
    ahead: int
    predictors: tuple[PlanPredictors, ...]
    indicators: FieldIndicators = NO_FIELDS
    foreseen: Mapping[StateKey, Advantages] = field(default_factory=dict, repr=False)

    def required_probes(self, state: State) -> frozenset[Probe]:
        return CONFIDENCE_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        features = self.calibration.inputs(state)
        confidence = self.calibration.confidence(state, features)
        if len(state.steps) >= len(self.predictors):
            return Decision(Action.STOP, StopReason.POLICY, expected=Expectation(confidence))
        advantages = self.foreseen.get(state_key(state))
        if advantages is None:
            inputs = self._inputs(state, features)
            advantages = self.predictors[len(state.steps)].advantages(inputs)
        action, gain = best_step(advantages, self.prices, self.ahead)
        reason = StopReason.POLICY if action is Action.STOP else None
        return Decision(action, reason, expected=Expectation(confidence, gain))

    def foresee(self, states: Sequence[State]) -> dict[StateKey, Advantages]:
        """The advantages of states of which as many steps were taken, predicted together."""
        if not states or len(states[0].steps) >= len(self.predictors):
            return {}
        rows = [self._inputs(state, self.calibration.inputs(state)) for state in states]
        predicted = self.predictors[len(states[0].steps)].advantages_of_all(rows)
        return dict(zip(map(state_key, states), predicted, strict=True))

    def _inputs(self, state: State, features: Sequence[float]) -> tuple[float, ...]:
        return (*question_inputs(state.question, self.indicators), *features)


@dataclass(frozen=True, slots=True)
class ArgoAdvantageByFields:
    """Decides by ``known`` about questions whose metadata ``indicators`` know, else by ``other``,
    which reads no metadata."""

    indicators: FieldIndicators
    known: ArgoAdvantage | BestPlan
    other: ArgoAdvantage | BestPlan

    def required_probes(self, state: State) -> frozenset[Probe]:
        return self._of(state).required_probes(state)

    def decide(self, state: State, rng: random.Random) -> Decision:
        return self._of(state).decide(state, rng)

    def knows(self, state: State) -> bool:
        return self.indicators.knows(state.question.metadata)

    def _of(self, state: State) -> ArgoAdvantage | BestPlan:
        return self.known if self.knows(state) else self.other


def state_key(state: State) -> StateKey:
    return state.question.id, tuple(step.action.value for step in state.steps)


def question_inputs(question: Question, indicators: FieldIndicators) -> tuple[float, ...]:
    """What is known of a question before its answer is looked at."""
    return (*indicators.values(question.metadata), *question_features(question))


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
    less noisy than those of right and wrong.
    """

    learner: str
    on_probabilities: bool
    words: Words = ()
    columns: Columns = Columns()

    def inputs(self, node: Node) -> tuple[float, ...]:
        """What is known of the question, then the features of the state."""
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
        return LEARNERS[self.learner](rows, targets, self.columns)


def argo_advantage(context: PolicyContext) -> Policy:
    """Choose learner, targets and horizon at the cell's price; no model is asked.

    Raises `ConfigError` where metadata is to be read, and no field of it parts the calibration.
    """
    other = _advantage(context, NO_FIELDS)
    if not context.parameters_as(AdvantageParameters).reads_metadata:
        return other
    indicators = FieldIndicators.of(context.calibrated.metadata)
    if not indicators.pairs:
        raise ConfigError(NOTHING_TO_READ)
    return ArgoAdvantageByFields(indicators, _advantage(context, indicators), other)


def _advantage(context: PolicyContext, indicators: FieldIndicators) -> ArgoAdvantage | BestPlan:
    calibration, prices = context.calibrated, context.prices
    horizon = min(calibration.horizon, context.max_steps)
    explored = calibration.exploration.within(horizon)
    aheads = dict.fromkeys((min(1, horizon), horizon))
    ways = list(product(fittings(calibration, indicators), aheads))
    fits = [partial(_deciding, fitting, ahead, prices, explored) for fitting, ahead in ways]
    best = best_paying(explored, fits, prices, N_ERRORS)
    if best is None:
        return follow_best_plan(calibration, prices, horizon)
    fitting, ahead = ways[best]
    fitted = explored.once(fit_advantages, fitting)
    return ArgoAdvantage(calibration, prices, ahead, fitted, indicators)


def fittings(calibration: Calibration, indicators: FieldIndicators) -> list[Fitting]:
    """The ways of fitting to choose among: with probabilities where every node has one."""
    asked = tuple(_questions_of(calibration))
    words = calibration.exploration.once(_words, asked, indicators)
    columns = Columns(len(indicators.pairs), calibration.optional_features)
    has_all = all(node.gold_probability is not None for node in calibration.nodes)
    targets = (False, True) if has_all else (False,)
    return [Fitting(name, on, words, columns) for name, on in product(LEARNERS, targets)]


Asked = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]
"""The text of a question, its choices and its metadata."""


def _questions_of(calibration: Calibration) -> Iterator[Asked]:
    metadata = calibration.metadata or ({},) * len(calibration.questions)
    for own, fields in zip(calibration.questions, metadata, strict=True):
        yield own.text, own.choices, tuple(fields.items())


def _words(explored: Exploration, asked: Sequence[Asked], indicators: FieldIndicators) -> Words:
    """What is known of the explored questions, whatever the price."""
    questions = (
        Question(id=f"{number}", text=text, choices=choices, metadata=dict(fields))
        for number, (text, choices, fields) in enumerate(asked)
    )
    return tuple(question_inputs(question, indicators) for question in questions)


NodeKey = tuple[int, tuple[str, ...]]


def _foreseen(
    fitted_on: Exploration, fitting: Fitting, explored: Exploration
) -> dict[NodeKey, Advantages]:
    """The advantages of the nodes of ``explored`` of other questions than those that are fitted on,
    whatever the price."""
    known = {node.question for node in fitted_on.nodes}
    predicted: dict[NodeKey, Advantages] = {}
    for n_steps, predictors in enumerate(fit_advantages(fitted_on, fitting)):
        nodes = [
            node
            for node in explored.nodes
            if len(node.actions) == n_steps and node.question not in known
        ]
        advantages = predictors.advantages_of_all(list(map(fitting.inputs, nodes)))
        keys = [(node.question, node.actions) for node in nodes]
        predicted.update(zip(keys, advantages, strict=True))
    return predicted


def _deciding(
    fitting: Fitting, ahead: int, prices: Prices, explored: Exploration, fitted_on: Exploration
) -> Deciding:
    foreseen = fitted_on.once(_foreseen, fitting, explored)
    nothing: Advantages = {}
    return lambda node: best_step(
        foreseen.get((node.question, node.actions), nothing), prices, ahead
    )[0]


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


def _forest(rows: Rows, targets: Sequence[float], columns: Columns) -> Predictor:
    # With projections of the question's embedding trees decide worse, see docs/trials.md.
    return fit_forest([row[: len(row) - sum(columns.optional)] for row in rows], targets)


def _ridge(rows: Rows, targets: Sequence[float], columns: Columns) -> Predictor:
    return fit_ridge(rows, targets, columns.optional)


LEARNERS: Mapping[str, Learner] = {"forest": _forest, "ridge": _ridge}
