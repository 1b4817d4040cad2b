"""The policy contract, the solved process, and one small file per strategy."""

from __future__ import annotations

from collections.abc import Callable

from argo_ml.errors import ConfigError
from argo_ml.policies.always_reason import always_reason
from argo_ml.policies.always_retrieve import always_retrieve
from argo_ml.policies.argo import argo
from argo_ml.policies.argo_optimal import argo_optimal
from argo_ml.policies.base import Policy
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.fixed_threshold import fixed_threshold
from argo_ml.policies.random_choice import random_choice

__all__ = ["STRATEGIES", "Policy", "PolicyContext", "make_policy"]

STRATEGIES: dict[str, Callable[[PolicyContext], Policy]] = {
    "argo": argo,
    "argo_optimal": argo_optimal,
    "always_retrieve": always_retrieve,
    "always_reason": always_reason,
    "random": random_choice,
    "fixed_threshold": fixed_threshold,
}


def make_policy(name: str, context: PolicyContext) -> Policy:
    if name not in STRATEGIES:
        raise ConfigError(f"strategy={name!r} is unknown; known: {', '.join(STRATEGIES)}")
    return STRATEGIES[name](context)
