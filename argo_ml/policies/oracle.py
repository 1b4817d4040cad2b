"""The ceiling: for each question the best sequence of actions, chosen knowing the gold answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from argo_ml.policies.context import PolicyContext
from argo_ml.policies.parameters import OracleParameters
from argo_ml.policies.planned import FixedPlan
from argo_ml.types import Action

ACTIONS = (Action.RETRIEVE, Action.REASON)


@dataclass(frozen=True, slots=True)
class Oracle(FixedPlan):
    """Tries every sequence of at most ``n_steps`` actions.

    The sweep that runs it chooses among their outcomes, and those of other strategies, knowing the
    gold answer. As a policy on its own it would answer at once.
    """

    n_steps: int = 0

    @property
    def plans(self) -> Iterator[FixedPlan]:
        """All sequences, the shortest first; of equal length in a fixed order."""
        for length in range(self.n_steps + 1):
            for actions in product(ACTIONS, repeat=length):
                yield FixedPlan(actions)


def oracle(context: PolicyContext) -> Oracle:
    n_steps = context.parameters_as(OracleParameters).oracle_steps
    return Oracle(n_steps=min(n_steps, context.max_steps))
