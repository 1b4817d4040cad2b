"""The Markov decision process of one retrieval price."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.types import Action


@dataclass(frozen=True, slots=True)
class MDPSpec:
    """Prices, gains and discount of the process (DESIGN: the MDP).

    ``quality`` is one of linear, sqrt, saturating, sigmoid; ``alpha`` its steepness.
    """

    retrieval_cost: float
    reason_cost: float = 0.02
    delta_r: float = 0.25
    delta_p: float = 0.08
    p_s: float = 0.8
    mu: float = 1.0
    gamma: float = 0.98
    u_max: float = 1.0
    quality: str = "linear"
    alpha: float = 3.0


@dataclass(frozen=True, slots=True)
class Solution:
    """The solved process on its states (ascending progress, the first is U = 0).

    Every tuple has one entry per state. ``threshold_value`` is the exact value from U = 0 of
    acting by (``theta_cont``, ``theta_star``), the best such pair.
    """

    spec: MDPSpec
    states: tuple[float, ...]
    value: tuple[float, ...]
    q_retrieve: tuple[float, ...]
    q_reason: tuple[float, ...]
    q_stop: tuple[float, ...]
    actions: tuple[Action, ...]
    theta_cont: float
    theta_star: float
    threshold_value: float

    @property
    def optimal_value(self) -> float:
        """V*(0)."""
        return self.value[0]

    @property
    def policy_regret(self) -> float:
        """V*(0) - V_theta(0): what acting by two thresholds costs."""
        return self.optimal_value - self.threshold_value


def solve(spec: MDPSpec) -> Solution:
    raise NotImplementedError
