"""The policy contract, and one small file per strategy."""

from argo_ml.policies.base import Policy
from argo_ml.policies.checking import check_strategies
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.description import RecordedSignal, ReplayNeeds, Role, Strategy
from argo_ml.policies.parameters import GateParameters, StrategyParameters
from argo_ml.policies.strategies import ALL_STRATEGIES, STRATEGIES, find_strategy, make_policy

__all__ = [
    "ALL_STRATEGIES",
    "STRATEGIES",
    "GateParameters",
    "Policy",
    "PolicyContext",
    "RecordedSignal",
    "ReplayNeeds",
    "Role",
    "Strategy",
    "StrategyParameters",
    "check_strategies",
    "find_strategy",
    "make_policy",
]
