"""The user's own pair of thresholds, the same at every price."""

from __future__ import annotations

from argo_ml.errors import ConfigError
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.search import Settings, Suggester
from argo_ml.policies.thresholds import ThresholdPolicy


def fixed_threshold(context: PolicyContext) -> ThresholdPolicy:
    if context.theta_cont is None or context.theta_star is None:
        raise ConfigError("strategy fixed_threshold needs theta_cont and theta_star")
    u_max = context.solution.spec.u_max
    if context.theta_star > u_max:
        raise ConfigError(f"theta_star={context.theta_star} must not exceed u_max={u_max}")
    return ThresholdPolicy(context.theta_cont, context.theta_star)


def search_thresholds(suggester: Suggester) -> Settings:
    """theta_cont <= theta_star by construction."""
    theta_star = suggester.suggest("theta_star")
    theta_cont = suggester.suggest("theta_cont", at_most=theta_star)
    return {"theta_cont": theta_cont, "theta_star": theta_star}
