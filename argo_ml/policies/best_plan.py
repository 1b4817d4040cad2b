"""Deciding by the question where that pays on what a calibration explored, else by the best plan.

What is fitted on few questions may follow chance. A policy is therefore judged on questions that it
was not fitted on, against the best plan made without seeing the question; where it earns no more,
the plan is followed: a choice by cross-validation (Stone 1974). The plan is the one that was the
most useful on the calibration's questions, which need not be the best on others.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import pstdev
from typing import Protocol

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import Calibration
from argo_ml.policies.base import NO_PROBES, Decision, Policy, Probe, State
from argo_ml.policies.plan_outcomes import Plan, plan_outcomes
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Expectation, Prices, StopReason

ROUNDING = 1e-9
"""Difference of utilities that are equal but for the order in which prices were added up."""

Deciding = Callable[[Node], Action]


class Fitted(Policy, Protocol):
    """A policy that was fitted on explored histories."""

    def at(self, node: Node) -> Action:
        """The action that it would take at ``node``."""


Fit = Callable[[Exploration], Fitted]


@dataclass(frozen=True, slots=True)
class BestPlan:
    """Takes the actions of ``plan`` whatever it sees, then stops.

    ``gains`` is what the rest of the plan adds to stopping, by the number of steps taken. With
    ``is_probing`` it probes the answer, by which it decides nothing, so that p-hat is on record;
    that is where probes cost nothing.
    """

    calibration: Calibration
    plan: Plan
    gains: tuple[float, ...]
    is_probing: bool

    def required_probes(self, state: State) -> frozenset[Probe]:
        return CONFIDENCE_PROBES if self.is_probing else NO_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        n_steps = len(state.steps)
        confidence = self.calibration.confidence(state) if self.is_probing else None
        if n_steps >= len(self.plan):
            return Decision(
                Action.STOP, StopReason.POLICY, expected=Expectation(confidence, gain=0.0)
            )
        return Decision(self.plan[n_steps], expected=Expectation(confidence, self.gains[n_steps]))


def follow_best_plan(calibration: Calibration, prices: Prices, horizon: int) -> BestPlan:
    values = _plan_values(calibration.exploration.within(horizon), prices)
    plan = _best(values)
    # What was paid until a step is gone whether or not the plan goes on.
    gains = tuple(values[plan] - values[plan[:n_steps]] for n_steps in range(len(plan)))
    return BestPlan(calibration, plan, gains, is_probing=prices.probe == 0.0)


def fitted_where_it_pays(
    calibration: Calibration, prices: Prices, horizon: int, fits: Sequence[Fit]
) -> Policy:
    """What the best of ``fits`` makes of all that was explored to ``horizon``, or the best plan."""
    explored = calibration.exploration.within(horizon)
    best = best_paying(explored, [_deciding(fit) for fit in fits], prices)
    if best is None:
        return follow_best_plan(calibration, prices, horizon)
    return fits[best](explored)


def _deciding(fit: Fit) -> Callable[[Exploration], Deciding]:
    return lambda explored: fit(explored).at


def best_paying(
    explored: Exploration,
    fits: Sequence[Callable[[Exploration], Deciding]],
    prices: Prices,
    n_errors: float = 0.0,
) -> int | None:
    """The index of the fit whose decisions earn most, of equals the first.

    None where no fit earns more than the best plan by so many standard errors.

    All are made from four fifths of the questions, and judged on the others, in turn.
    """
    unprobed = replace(prices, probe=0.0)
    differences: list[list[float]] = [[] for _ in fits]
    for fitted_on, held_out in explored.folds:
        plain = earned(held_out, _following(best_plan(fitted_on, prices)), unprobed)
        for by_question, fit in zip(differences, fits, strict=True):
            own = earned(held_out, fit(fitted_on), prices)
            by_question += [own[question] - plain[question] for question in own]
    gains = list(map(math.fsum, differences))
    best = max(range(len(fits)), key=gains.__getitem__)
    n_questions = len(differences[best])
    error = pstdev(differences[best]) * math.sqrt(n_questions)
    return best if gains[best] > n_errors * error + ROUNDING * n_questions else None


def earned(explored: Exploration, decide: Deciding, prices: Prices) -> dict[int, float]:
    """Right answer minus prices paid, by question, where ``decide`` decides at every node.

    A walk ends where the exploration has not been; the action that leads there is not paid.
    """
    utilities = {}
    for node in explored.nodes:
        if node.actions:
            continue
        here, paid = node, 0.0
        while (action := decide(here)) is not Action.STOP:
            after = explored.after(here, action)
            if after is None:
                break
            here, paid = after, paid + prices.with_probe(action)
        utilities[node.question] = here.correct - paid
    return utilities


def best_plan(explored: Exploration, prices: Prices) -> Plan:
    """The plan that earned most of those explored for every question; of equals the shortest."""
    return _best(_plan_values(explored, prices))


def _plan_values(explored: Exploration, prices: Prices) -> dict[Plan, float]:
    """The mean utility, without probes, of the plans that were explored for every question."""
    unprobed = replace(prices, probe=0.0)
    outcomes = explored.once(plan_outcomes)
    return {
        plan: accuracy - sum(map(unprobed.of, plan))
        for plan, accuracy in zip(outcomes.plans, outcomes.accuracies, strict=True)
    }


def _best(values: Mapping[Plan, float]) -> Plan:
    return max(sorted(values, key=len), key=values.__getitem__)


def _following(plan: Plan) -> Deciding:
    def decide(node: Node) -> Action:
        n_steps = len(node.actions)
        return plan[n_steps] if n_steps < len(plan) else Action.STOP

    return decide
