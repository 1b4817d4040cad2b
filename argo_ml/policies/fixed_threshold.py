"""The user's own pair of thresholds, the same at every price."""

from __future__ import annotations

from argo_ml.policies.context import PolicyContext
from argo_ml.policies.parameters import ThresholdParameters
from argo_ml.policies.search import Settings, Suggester
from argo_ml.policies.thresholds import ThresholdPolicy


def fixed_threshold(context: PolicyContext) -> ThresholdPolicy:
    thresholds = context.parameters_as(ThresholdParameters)
    return ThresholdPolicy(thresholds.theta_cont, thresholds.theta_star)


def search_thresholds(suggester: Suggester) -> Settings:
    """theta_cont <= theta_star by construction."""
    theta_star = suggester.suggest("theta_star")
    theta_cont = suggester.suggest("theta_cont", at_most=theta_star)
    return {"theta_cont": theta_cont, "theta_star": theta_star}
