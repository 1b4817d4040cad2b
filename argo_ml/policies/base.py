"""The policy contract: a state in, a decision out, nothing else known."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from argo_ml.types import Action, Question, Step, StopReason


@dataclass(frozen=True, slots=True)
class State:
    """What a policy may look at: the question, progress U, and the steps so far."""

    question: Question
    progress: float = 0.0
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """An action; a stop carries its reason."""

    action: Action
    stop_reason: StopReason | None = None

    def __post_init__(self) -> None:
        if (self.action is Action.STOP) != (self.stop_reason is not None):
            raise ValueError(f"action={self.action.value}, stop_reason={self.stop_reason}")


class Policy(Protocol):
    """Decides the next action of one episode."""

    def decide(self, state: State, rng: random.Random) -> Decision:
        """``rng`` is derived from (seed, question, step), the same for every strategy."""
