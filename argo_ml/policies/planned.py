"""A plan made before the question was seen; the field's two plainest ones."""

from __future__ import annotations

import random
from dataclasses import dataclass

from argo_ml.policies.base import NO_PROBES, Decision, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.types import Action, StopReason

NEVER, SINGLE = "never", "single"
"""Strategies whose answers are those without retrieval and with one."""
PLAN_ENDED = Decision(Action.STOP, StopReason.POLICY)


@dataclass(frozen=True, slots=True)
class FixedPlan:
    """Takes ``actions`` one after the other, whatever they find, then stops.

    ``top_k`` is the number of passages of its retrievals, None for the cell's own; ``first_probes``
    is what it probes before the first step, ``later_probes`` before every other decision. It
    decides by none of it: exploring probes so that others can learn from the observations.
    """

    actions: tuple[Action, ...] = ()
    top_k: int | None = None
    first_probes: frozenset[Probe] = NO_PROBES
    later_probes: frozenset[Probe] = NO_PROBES

    def __post_init__(self) -> None:
        if Action.STOP in self.actions:
            raise ValueError("a plan stops after its actions, which are retrieve and reason")

    def required_probes(self, state: State) -> frozenset[Probe]:
        return self.later_probes if state.steps else self.first_probes

    def decide(self, state: State, rng: random.Random) -> Decision:
        if len(state.steps) >= len(self.actions):
            return PLAN_ENDED
        action = self.actions[len(state.steps)]
        return Decision(action, top_k=self.top_k if action is Action.RETRIEVE else None)


def never(context: PolicyContext) -> FixedPlan:
    """Answers at once, from what the model knows."""
    return FixedPlan()


def single(context: PolicyContext) -> FixedPlan:
    """Answers after one retrieval: plain retrieval-augmented generation."""
    return FixedPlan((Action.RETRIEVE,))
