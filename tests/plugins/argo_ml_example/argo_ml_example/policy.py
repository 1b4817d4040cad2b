"""A policy with a parameter of its own: retrieve for questions that begin with certain words."""

from __future__ import annotations

import random
from dataclasses import dataclass

from argo_ml.policies import PolicyContext, Role, Strategy, StrategyParameters
from argo_ml.policies.base import Decision, State
from argo_ml.types import Action, StopReason


class FirstWordParameters(StrategyParameters):
    """``word`` is what a question has to begin with, ``times`` how often is then retrieved."""

    word: str = "Which"
    times: int = 1


@dataclass(frozen=True, slots=True)
class FirstWord:
    word: str
    times: int

    def decide(self, state: State, rng: random.Random) -> Decision:
        if state.question.text.startswith(self.word) and len(state.steps) < self.times:
            return Decision(Action.RETRIEVE)
        return Decision(Action.STOP, StopReason.POLICY)


def first_word(context: PolicyContext) -> FirstWord:
    given = context.parameters_as(FirstWordParameters)
    return FirstWord(given.word, min(given.times, context.max_steps))


FIRST_WORD = Strategy(first_word, Role.ADAPTIVE, FirstWordParameters, by_price=False)
