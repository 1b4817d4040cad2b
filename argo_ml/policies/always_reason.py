"""The baseline that never retrieves."""

from __future__ import annotations

from argo_ml.policies.context import PolicyContext
from argo_ml.policies.thresholds import ThresholdPolicy

ALWAYS_REASON = "always_reason"


def always_reason(context: PolicyContext) -> ThresholdPolicy:
    """Reasons until U >= theta_star, ARGO's at the same price."""
    return ThresholdPolicy(0.0, context.solution.theta_star)
