"""ARGO: the best pair of thresholds at the cell's price."""

from __future__ import annotations

from argo_ml.policies.context import PolicyContext
from argo_ml.policies.thresholds import ThresholdPolicy

ARGO = "argo"


def argo(context: PolicyContext) -> ThresholdPolicy:
    return ThresholdPolicy(context.solution.theta_cont, context.solution.theta_star)
