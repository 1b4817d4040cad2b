"""A plan made before the question was seen; the field's two plainest ones."""

from __future__ import annotations

import random
from dataclasses import dataclass

from argo_ml.policies.base import Decision, Look, State
from argo_ml.policies.context import PolicyContext
from argo_ml.types import Action, StopReason

PLAN_ENDED = Decision(Action.STOP, StopReason.POLICY)
NO_LOOKS: frozenset[Look] = frozenset()


@dataclass(frozen=True, slots=True)
class Planned:
    """Takes ``actions`` one after the other, whatever they find, then stops.

    ``top_k`` is the number of passages of its retrievals, None for the cell's own; ``first_looks``
    is what it looks at before the first step, ``later_looks`` before every other decision. It
    decides by none of it: exploring looks so that others can learn from it.
    """

    actions: tuple[Action, ...] = ()
    top_k: int | None = None
    first_looks: frozenset[Look] = NO_LOOKS
    later_looks: frozenset[Look] = NO_LOOKS

    def __post_init__(self) -> None:
        if Action.STOP in self.actions:
            raise ValueError("a plan stops after its actions, which are retrieve and reason")

    def looks(self, state: State) -> frozenset[Look]:
        return self.later_looks if state.steps else self.first_looks

    def decide(self, state: State, rng: random.Random) -> Decision:
        if len(state.steps) >= len(self.actions):
            return PLAN_ENDED
        action = self.actions[len(state.steps)]
        return Decision(action, top_k=self.top_k if action is Action.RETRIEVE else None)


def never(context: PolicyContext) -> Planned:
    """Answers at once, from what the model knows."""
    return Planned()


def single(context: PolicyContext) -> Planned:
    """Answers after one retrieval: plain retrieval-augmented generation."""
    return Planned((Action.RETRIEVE,))
