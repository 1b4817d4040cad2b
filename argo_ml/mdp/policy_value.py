"""The exact value of acting by a given policy in the Markov decision process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from argo_ml.mdp.process import MDPSpec
from argo_ml.mdp.progress import transitions
from argo_ml.mdp.quality import QUALITIES
from argo_ml.types import Action


@runtime_checkable
class ProgressPolicy(Protocol):
    """Decides by progress and luck alone, so that the process gives its value exactly."""

    def probabilities(self, progress: float) -> Mapping[Action, float]:
        """How probable each action is; an action left out is never taken."""


def policy_value(spec: MDPSpec, policy: ProgressPolicy) -> float:
    """V_policy(0): expected discounted quality minus price, without a step limit.

    With pi the policy's probabilities, solved for V(U) because a failed retrieval stays there:

        V(U) = pi_stop sigma + pi_reason Q(U, reason) + pi_retrieve Q(U, retrieve)

    Raises:
        ValueError: the policy goes on at full progress, where nothing can be gained.
    """
    successors = transitions(spec.gains)
    values: dict[float, float] = {}
    for progress in reversed(tuple(successors)):
        shares = policy.probabilities(progress)
        stop, reason, retrieve = (
            shares.get(action, 0.0) for action in (Action.STOP, Action.REASON, Action.RETRIEVE)
        )
        value = stop * QUALITIES[spec.quality](progress / spec.u_max, spec.alpha)
        if progress == spec.u_max and stop < 1:
            raise ValueError(f"the policy does not stop at u_max={spec.u_max}")
        if reason:
            after = values[successors[progress].reason]
            value += reason * (-spec.mu * spec.reason_cost + spec.gamma * after)
        if retrieve:
            after = values[successors[progress].retrieve]
            gain = -spec.mu * spec.retrieval_cost + spec.gamma * spec.p_s * after
            value = (value + retrieve * gain) / (1 - retrieve * spec.gamma * (1 - spec.p_s))
        values[progress] = value
    return values[0.0]
