"""The policy contract: a state in, a decision out, nothing else known."""

from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from argo_ml.state import AnswerNow, Draft, Observations, Probe, State
from argo_ml.types import NOTHING_EXPECTED, Action, Expectation, StopReason

__all__ = [
    "AnswerNow",
    "Decision",
    "Draft",
    "ExplainedPolicy",
    "Observations",
    "Policy",
    "Probe",
    "ProbingPolicy",
    "State",
    "explained",
    "required_probes_of",
]


NO_PROBES: frozenset[Probe] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """An action; a stop carries its reason.

    ``query`` and ``top_k`` are of a retrieval that is to differ from the sub-question's own and
    from the cell's number of passages.
    """

    action: Action
    stop_reason: StopReason | None = None
    query: str | None = None
    top_k: int | None = None
    expected: Expectation = NOTHING_EXPECTED

    def __post_init__(self) -> None:
        if (self.action is Action.STOP) != (self.stop_reason is not None):
            raise ValueError(f"action={self.action.value}, stop_reason={self.stop_reason}")
        if self.action is not Action.RETRIEVE and (self.query, self.top_k) != (None, None):
            raise ValueError(f"action={self.action.value} takes neither query nor top_k")


class Policy(Protocol):
    """Decides the next action of one episode."""

    def decide(self, state: State, rng: random.Random) -> Decision:
        """``rng`` is derived from (seed, question, step), the same for every strategy."""


@runtime_checkable
class ProbingPolicy(Protocol):
    """A policy that probes a state before it decides."""

    def required_probes(self, state: State) -> AbstractSet[Probe]:
        """The probes that ``decide`` reads in this state."""


@runtime_checkable
class ExplainedPolicy(Protocol):
    """A policy that can say in words what it does."""

    def explained(self) -> str:
        """One line: what is done for which questions."""


def explained(policy: Policy) -> str:
    """What a policy does, in words; empty where it does not say."""
    return policy.explained() if isinstance(policy, ExplainedPolicy) else ""


def required_probes_of(policy: Policy) -> Callable[[State], AbstractSet[Probe]]:
    """The probes of any policy: none, unless it names some."""
    # Asking whether it keeps to the protocol takes longer than the whole decision.
    required: Callable[[State], AbstractSet[Probe]] = getattr(policy, "required_probes", _no_probes)
    return required


def _no_probes(state: State) -> AbstractSet[Probe]:
    return NO_PROBES
