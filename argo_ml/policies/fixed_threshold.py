"""The user's own pair of thresholds, the same at every price."""

from __future__ import annotations

from argo_ml.errors import ConfigError
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.thresholds import ThresholdPolicy


def fixed_threshold(context: PolicyContext) -> ThresholdPolicy:
    if context.theta_cont is None or context.theta_star is None:
        raise ConfigError("strategy fixed_threshold needs theta_cont and theta_star")
    u_max = context.solution.spec.u_max
    if context.theta_star > u_max:
        raise ConfigError(f"theta_star={context.theta_star} must not exceed u_max={u_max}")
    return ThresholdPolicy(context.theta_cont, context.theta_star)
