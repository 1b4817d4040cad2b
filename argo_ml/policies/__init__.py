"""The policy contract, the solved process, and one small file per strategy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from argo_ml.errors import ConfigError
from argo_ml.policies.always_reason import always_reason
from argo_ml.policies.always_retrieve import always_retrieve
from argo_ml.policies.argo import argo
from argo_ml.policies.argo_optimal import argo_optimal
from argo_ml.policies.base import Policy
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.fixed_threshold import fixed_threshold, search_thresholds
from argo_ml.policies.random_choice import random_choice
from argo_ml.policies.search import Search, search_nothing

__all__ = ["STRATEGIES", "Policy", "PolicyContext", "Strategy", "make_policy"]


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a strategy's policy is made, and what a study may search of it.

    ``by_price``: whether the policy depends on the retrieval cost.
    """

    make: Callable[[PolicyContext], Policy]
    search: Search = search_nothing
    by_price: bool = True


STRATEGIES: dict[str, Strategy] = {
    "argo": Strategy(argo),
    "argo_optimal": Strategy(argo_optimal),
    "always_retrieve": Strategy(always_retrieve),
    "always_reason": Strategy(always_reason),
    "random": Strategy(random_choice),
    "fixed_threshold": Strategy(fixed_threshold, search_thresholds, by_price=False),
}


def make_policy(name: str, context: PolicyContext) -> Policy:
    if name not in STRATEGIES:
        raise ConfigError(f"strategy={name!r} is unknown; known: {', '.join(STRATEGIES)}")
    return STRATEGIES[name].make(context)
