"""Every strategy by name, described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from argo_ml.errors import ConfigError
from argo_ml.policies.always_reason import always_reason
from argo_ml.policies.always_retrieve import always_retrieve
from argo_ml.policies.argo import argo
from argo_ml.policies.argo_calibrated import argo_calibrated
from argo_ml.policies.argo_fitted import argo_fitted
from argo_ml.policies.argo_optimal import argo_optimal
from argo_ml.policies.base import Policy
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.fixed_threshold import fixed_threshold, search_thresholds
from argo_ml.policies.gates import (
    adaptive_rag,
    benefit_gate,
    entropy_gate,
    flare,
    graded,
    margin_gate,
    max_prob_gate,
    question_only,
    skr_knn,
    tasr,
    variance_gate,
)
from argo_ml.policies.oracle import oracle
from argo_ml.policies.planned import never, single
from argo_ml.policies.random_choice import random_choice
from argo_ml.policies.search import Search, search_nothing


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a strategy's policy is made, and what a study may search of it.

    ``by_price``: whether the policy depends on the retrieval cost; ``calibrated``: whether it needs
    a calibration; ``is_gate``: whether it decides once, whether to retrieve; ``in_hindsight``:
    whether it knows the gold answers, so that it is a ceiling and no method; ``own_queries``:
    whether its retrievals differ from those of the same actions under other strategies;
    ``is_fixed``: whether it treats all questions alike, so that deciding by the question is
    compared with it.
    """

    make: Callable[[PolicyContext], Policy]
    search: Search = search_nothing
    by_price: bool = True
    calibrated: bool = False
    is_gate: bool = False
    in_hindsight: bool = False
    own_queries: bool = False
    is_fixed: bool = False


STRATEGIES: dict[str, Strategy] = {
    "argo": Strategy(argo),
    "argo_optimal": Strategy(argo_optimal),
    "always_retrieve": Strategy(always_retrieve, is_fixed=True),
    "always_reason": Strategy(always_reason, is_fixed=True),
    "random": Strategy(random_choice),
    "fixed_threshold": Strategy(fixed_threshold, search_thresholds, by_price=False),
    "never": Strategy(never, by_price=False, is_fixed=True),
    "single": Strategy(single, by_price=False, is_fixed=True),
    "argo_calibrated": Strategy(argo_calibrated, calibrated=True),
    "argo_fitted": Strategy(argo_fitted, calibrated=True),
    "oracle": Strategy(oracle, in_hindsight=True),
    "entropy_gate": Strategy(entropy_gate, calibrated=True, is_gate=True),
    "margin_gate": Strategy(margin_gate, calibrated=True, is_gate=True),
    "variance_gate": Strategy(variance_gate, calibrated=True, is_gate=True),
    "max_prob_gate": Strategy(max_prob_gate, calibrated=True, is_gate=True),
    "graded": Strategy(graded, calibrated=True, is_gate=True, own_queries=True),
    "benefit_gate": Strategy(benefit_gate, calibrated=True, is_gate=True),
    "skr_knn": Strategy(skr_knn, calibrated=True, is_gate=True),
    "question_only": Strategy(question_only, calibrated=True, is_gate=True),
    "flare": Strategy(flare, calibrated=True, own_queries=True),
    "adaptive_rag": Strategy(adaptive_rag, by_price=False, calibrated=True),
    "tasr": Strategy(tasr, calibrated=True),
}


def make_policy(name: str, context: PolicyContext) -> Policy:
    if name not in STRATEGIES:
        raise ConfigError(f"strategy={name!r} is unknown; known: {', '.join(STRATEGIES)}")
    return STRATEGIES[name].make(context)
