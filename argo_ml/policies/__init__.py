"""The policy contract, and one small file per strategy."""

from argo_ml.policies.base import Policy
from argo_ml.policies.checking import check_strategies
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.description import RecordedSignal, ReplayNeeds, Role, Strategy
from argo_ml.policies.strategies import STRATEGIES, make_policy

__all__ = [
    "STRATEGIES",
    "Policy",
    "PolicyContext",
    "RecordedSignal",
    "ReplayNeeds",
    "Role",
    "Strategy",
    "check_strategies",
    "make_policy",
]
