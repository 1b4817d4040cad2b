"""What a strategy is built from."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.policies.mdp import Solution


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """The solved process at the cell's price, and the user's own thresholds where given."""

    solution: Solution
    theta_cont: float | None = None
    theta_star: float | None = None
