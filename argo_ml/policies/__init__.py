"""The policy contract, and one small file per strategy."""

from argo_ml.policies.base import Policy
from argo_ml.policies.checking import check_strategies
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.strategies import STRATEGIES, Strategy, make_policy

__all__ = ["STRATEGIES", "Policy", "PolicyContext", "Strategy", "check_strategies", "make_policy"]
