"""What policies that decide before the first step alone decide about all recorded questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from argo_ml.calibration.plans import NONE, ONCE, SIZED, sized
from argo_ml.errors import ConfigError
from argo_ml.policies import Policy
from argo_ml.policies.base import Decision, Probe, State, required_probes_of
from argo_ml.policies.gates import Gate, Signal
from argo_ml.policies.oracle import Oracle
from argo_ml.policies.planned import FixedPlan
from argo_ml.randomness import deferred_rng
from argo_ml.replay.calibrating import ReplayState
from argo_ml.replay.charging import Charges
from argo_ml.replay.decision_columns import (
    DecisionColumns,
    Ending,
    ExpectationColumns,
    Flags,
    Numbers,
)
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.replay.rows import ReplayDecision
from argo_ml.types import NOTHING_EXPECTED, Action, Expectation, StopReason

SINGLE_PLANS = (NONE, ONCE, *SIZED)
"""What a policy that decides once can come to, the cheapest first."""


@dataclass(frozen=True, eq=False)
class Readings:
    """What a gate's signal reads of each question, whatever the price."""

    read: ExpectationColumns
    probed: Flags

    @classmethod
    def of(cls, signal: Signal, states: Sequence[State]) -> Readings:
        probed = [Probe.ANSWER in signal.required_probes(state.question) for state in states]
        read = ExpectationColumns.of([signal.read(state) for state in states])
        return cls(read, np.array(probed, dtype=bool))

    def decided_by(self, gate: Gate) -> DecisionColumns:
        """As `Gate.decide` does, question by question."""
        retrieves = self.read.score >= gate.threshold
        predicts = ~np.isnan(self.read.gain)
        stopped = np.where(predicts, 0.0, np.nan)
        gain = np.where(retrieves, self.read.gain - gate.price, stopped)
        expected = replace(self.read, gain=gain)
        outcomes: tuple[Ending, ...] = ((NONE, False), (ONCE, False))
        return DecisionColumns(outcomes, retrieves.astype(np.int64), expected, self.probed)


@dataclass(frozen=True, eq=False)
class BestPlans:
    """What is best of what is recorded of each question, where actions have fixed prices: the same
    for all whose outcomes are alike.

    ``examples`` are one question of each kind, ``kind`` the number of each question's.
    """

    examples: tuple[RecordedQuestion, ...]
    kind: Numbers

    @classmethod
    def of(cls, questions: Sequence[RecordedQuestion]) -> BestPlans:
        kinds = [
            tuple((plan, own.correct, one.actions(plan)) for plan, own in one.outcomes.items())
            for one in questions
        ]
        examples = dict(zip(kinds, questions, strict=True))
        number = {kind: at for at, kind in enumerate(examples)}
        return cls(tuple(examples.values()), np.array([number[kind] for kind in kinds]))

    def at(self, charges: Charges, mu: float) -> DecisionColumns:
        plans = [best_recorded_plan(example, charges, mu) for example in self.examples]
        outcomes = tuple((plan, False) for plan in dict.fromkeys(plans))
        number = np.array([outcomes.index((plan, False)) for plan in plans])
        return _alike(NOTHING_EXPECTED, False, outcomes, number[self.kind])


class AtOnce:
    """Asks policies about all questions; what a gate reads it reads once for all prices."""

    def __init__(self, tested: Sequence[ReplayState], seed: int) -> None:
        self._tested = tested
        self._seed = seed
        self._readings: dict[str, Readings] = {}

    def decisions(self, name: str, policy: Policy, charges: Charges, mu: float) -> DecisionColumns:
        """What the policy called ``name`` decides; ``mu`` is the weight of cost in utility.

        Raises `ConfigError` for an action of which no outcome is recorded.
        """
        if isinstance(policy, Oracle) and charges.tariff is None:
            return self._best.at(charges, mu)
        if isinstance(policy, Gate) and policy.trust is None:
            return self._read(name, policy).decided_by(policy)
        if type(policy) is FixedPlan:
            [first] = decide_questions(policy, self._tested[:1], self._seed, charges, mu)
            outcome = np.zeros(len(self._tested), dtype=np.int64)
            plans = ((first.plan, first.abstains),)
            return _alike(first.expected, first.has_probed_answer, plans, outcome)
        made = decide_questions(policy, self._tested, self._seed, charges, mu)
        return DecisionColumns.of(made)

    @cached_property
    def _best(self) -> BestPlans:
        return BestPlans.of([own.recorded for own in self._tested])

    def _read(self, name: str, gate: Gate) -> Readings:
        if name not in self._readings:
            self._readings = {name: Readings.of(gate.signal, [own.state for own in self._tested])}
        return self._readings[name]


def _alike(
    expected: Expectation, probed: bool, outcomes: tuple[Ending, ...], outcome: Numbers
) -> DecisionColumns:
    """Decisions that expect the same of all questions."""
    one, n = ExpectationColumns.of([expected]), len(outcome)
    parts = (one.confidence, one.gain, one.score, one.rounded_confidence)
    columns = ExpectationColumns(*(np.broadcast_to(part, n) for part in parts))
    return DecisionColumns(outcomes, outcome, columns, np.full(n, probed))


def decide_questions(
    policy: Policy, tested: Sequence[ReplayState], seed: int, charges: Charges, mu: float = 1.0
) -> tuple[ReplayDecision, ...]:
    """What the policy decides about each question; ``mu`` is the weight of cost in utility.

    Raises `ConfigError` for an action of which no outcome is recorded.
    """
    if isinstance(policy, Oracle):
        plans = (best_recorded_plan(own.recorded, charges, mu) for own in tested)
        return tuple(map(ReplayDecision, plans))
    required_probes = required_probes_of(policy)
    decisions = []
    for state in (own.state for own in tested):
        decision = policy.decide(state, deferred_rng(seed, state.question.id, 0, "policy"))
        has_probed_answer = Probe.ANSWER in required_probes(state)
        abstains = decision.stop_reason is StopReason.ABSTAIN
        decisions.append(
            ReplayDecision(_plan(decision), decision.expected, has_probed_answer, abstains)
        )
    return tuple(decisions)


def _plan(decision: Decision) -> str:
    if decision.action is Action.STOP:
        return NONE
    if decision.action is not Action.RETRIEVE or decision.query is not None:
        raise ConfigError(
            f"action={decision.action.value}: no such outcome is recorded of one that decides "
            "once; leave the policy out"
        )
    return ONCE if decision.top_k is None else sized(decision.top_k)


def best_recorded_plan(recorded: RecordedQuestion, charges: Charges, mu: float) -> str:
    """The plan of the largest utility among all that are recorded and known in price; of equals the
    shortest, and of these the first of `SINGLE_PLANS`, then by name."""
    plans = [
        plan for plan in (*SINGLE_PLANS, *sorted(recorded.outcomes)) if plan in recorded.outcomes
    ]
    costs = {plan: charges.of_plan(recorded, plan) for plan in plans}
    payable = {plan: cost for plan, cost in costs.items() if cost is not None}

    def utility(plan: str) -> float:
        return recorded.outcomes[plan].correct - mu * payable[plan]

    return max(sorted(payable, key=lambda plan: len(recorded.actions(plan) or ())), key=utility)
