"""The baseline that never reasons."""

from __future__ import annotations

from argo_ml.policies.context import PolicyContext
from argo_ml.policies.thresholds import ThresholdPolicy

ALWAYS_RETRIEVE = "always_retrieve"


def always_retrieve(context: PolicyContext) -> ThresholdPolicy:
    """Retrieves until U >= theta_star, ARGO's at the same price."""
    return ThresholdPolicy(context.solution.theta_star, context.solution.theta_star)
