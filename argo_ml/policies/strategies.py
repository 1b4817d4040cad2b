"""Every strategy by name, described."""

from __future__ import annotations

from collections.abc import Callable

from argo_ml.calibration.plans import MULTI, ONCE, SIZED, after
from argo_ml.config import Spec, suggest
from argo_ml.errors import ConfigError
from argo_ml.plugins import PartTable
from argo_ml.policies.always_reason import ALWAYS_REASON, always_reason
from argo_ml.policies.always_retrieve import ALWAYS_RETRIEVE, always_retrieve
from argo_ml.policies.argo import ARGO, argo
from argo_ml.policies.argo_advantage import argo_advantage
from argo_ml.policies.argo_calibrated import argo_calibrated
from argo_ml.policies.argo_fitted import argo_fitted
from argo_ml.policies.argo_optimal import argo_optimal
from argo_ml.policies.argo_segment import argo_segment
from argo_ml.policies.base import Policy
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.description import RecordedSignal, ReplayNeeds, Role, Strategy
from argo_ml.policies.fixed_threshold import fixed_threshold, search_thresholds
from argo_ml.policies.gates.adaptive_rag import adaptive_rag
from argo_ml.policies.gates.base import NotProbedError
from argo_ml.policies.gates.benefit_gate import benefit_gate
from argo_ml.policies.gates.entropy_gate import entropy_gate
from argo_ml.policies.gates.flare import flare
from argo_ml.policies.gates.graded import graded
from argo_ml.policies.gates.margin_gate import margin_gate
from argo_ml.policies.gates.max_prob_gate import max_prob_gate
from argo_ml.policies.gates.question_only import question_only
from argo_ml.policies.gates.raser import raser
from argo_ml.policies.gates.score_gate import score_gate
from argo_ml.policies.gates.skr_knn import skr_knn
from argo_ml.policies.gates.stop_rag import stop_rag
from argo_ml.policies.gates.tasr import tasr
from argo_ml.policies.gates.value_of_information import value_of_information
from argo_ml.policies.gates.variance_gate import variance_gate
from argo_ml.policies.oracle import oracle
from argo_ml.policies.parameters import (
    AdvantageParameters,
    GateParameters,
    GradedParameters,
    OracleParameters,
    ScoreParameters,
    StrategyParameters,
    ThresholdParameters,
    given_parameters,
    read_parameters,
)
from argo_ml.policies.planned import NEVER, SINGLE, never, single
from argo_ml.policies.random_choice import random_choice
from argo_ml.types import Action


def _gate(
    make: Callable[[PolicyContext], Policy],
    replay: ReplayNeeds,
    parameters: type[GateParameters] = GateParameters,
    own_queries: bool = False,
    first_confidence_is_p_hat: bool = False,
    gained_nowhere: bool = False,
) -> Strategy:
    """A published gate that decides once, with a threshold from a calibration."""
    return Strategy(
        make,
        Role.GATE,
        parameters,
        calibrated=True,
        decides_once=True,
        own_queries=own_queries,
        first_confidence_is_p_hat=first_confidence_is_p_hat,
        gained_nowhere=gained_nowhere,
        replay=replay,
    )


def _by_p_hat(
    make: Callable[[PolicyContext], Policy],
    role: Role,
    parameters: type[StrategyParameters] = StrategyParameters,
    gained_nowhere: bool = False,
) -> Strategy:
    """A policy that decides step by step, by p-hat of the answer that it has."""
    return Strategy(
        make,
        role,
        parameters,
        calibrated=True,
        reports_p_hat=True,
        first_confidence_is_p_hat=True,
        gained_nowhere=gained_nowhere,
        replay=P_HAT,
    )


BOTH_ACTIONS = ReplayNeeds(plans=(Action.REASON.value,))
"""Of policies that may retrieve and reason, whatever a question is like."""
SCORE_GATE = "score_gate"
TWICE = after((ONCE, ONCE))
P_HAT = ReplayNeeds(RecordedSignal.CONFIDENCE, embeds=True)

STRATEGIES: dict[str, Strategy] = {
    ARGO: Strategy(
        argo, Role.ORIGINAL, is_contender=True, stops_at_theta_star=True, replay=BOTH_ACTIONS
    ),
    "argo_optimal": Strategy(argo_optimal, Role.ORIGINAL, replay=BOTH_ACTIONS),
    ALWAYS_RETRIEVE: Strategy(
        always_retrieve,
        Role.BASELINE,
        treats_alike=True,
        stops_at_theta_star=True,
        replay=BOTH_ACTIONS,
    ),
    ALWAYS_REASON: Strategy(
        always_reason,
        Role.BASELINE,
        treats_alike=True,
        stops_at_theta_star=True,
        replay=BOTH_ACTIONS,
    ),
    "random": Strategy(random_choice, Role.BASELINE, stops_at_theta_star=True, replay=BOTH_ACTIONS),
    "fixed_threshold": Strategy(
        fixed_threshold,
        Role.ORIGINAL,
        ThresholdParameters,
        search=search_thresholds,
        by_price=False,
    ),
    NEVER: Strategy(
        never,
        Role.FIXED_PLAN,
        by_price=False,
        treats_alike=True,
        decides_once=True,
        replay=ReplayNeeds(),
    ),
    SINGLE: Strategy(
        single,
        Role.FIXED_PLAN,
        by_price=False,
        treats_alike=True,
        decides_once=True,
        replay=ReplayNeeds(),
    ),
    "argo_calibrated": _by_p_hat(argo_calibrated, Role.ADAPTIVE, gained_nowhere=True),
    "argo_fitted": _by_p_hat(argo_fitted, Role.ADAPTIVE),
    "argo_advantage": _by_p_hat(argo_advantage, Role.ADAPTIVE, AdvantageParameters),
    "argo_segment": Strategy(argo_segment, Role.ADAPTIVE, calibrated=True, replay=ReplayNeeds()),
    "oracle": Strategy(oracle, Role.CEILING, OracleParameters, replay=ReplayNeeds()),
    "entropy_gate": _gate(entropy_gate, ReplayNeeds(RecordedSignal.DRAFT_ENTROPY)),
    "margin_gate": _gate(margin_gate, ReplayNeeds(RecordedSignal.DRAFT_MARGIN)),
    "variance_gate": _gate(variance_gate, ReplayNeeds(RecordedSignal.SAMPLES)),
    "max_prob_gate": _gate(
        max_prob_gate,
        ReplayNeeds(RecordedSignal.CONFIDENCE, embeds=True),
        first_confidence_is_p_hat=True,
    ),
    "graded": _gate(
        graded,
        ReplayNeeds(RecordedSignal.CONFIDENCE, SIZED, embeds=True, promises=False),
        GradedParameters,
        own_queries=True,
        first_confidence_is_p_hat=True,
    ),
    "benefit_gate": _gate(
        benefit_gate,
        ReplayNeeds(RecordedSignal.ANSWER, embeds=True),
        first_confidence_is_p_hat=True,
    ),
    "skr_knn": _gate(skr_knn, ReplayNeeds(embeds=True)),
    "question_only": _gate(question_only, ReplayNeeds(embeds=True), gained_nowhere=True),
    "flare": Strategy(
        flare,
        Role.GATE,
        GateParameters,
        calibrated=True,
        own_queries=True,
        gained_nowhere=True,
    ),
    "adaptive_rag": Strategy(
        adaptive_rag,
        Role.GATE,
        by_price=False,
        calibrated=True,
        gained_nowhere=True,
        replay=ReplayNeeds(plans=(MULTI,), embeds=True),
    ),
    "stop_rag": _by_p_hat(stop_rag, Role.GATE),
    "raser": Strategy(
        raser,
        Role.GATE,
        calibrated=True,
        replay=ReplayNeeds(RecordedSignal.CONFIDENCE, (TWICE,), embeds=True, n_steps=2),
    ),
    "value_of_information": _by_p_hat(value_of_information, Role.GATE, gained_nowhere=True),
    "tasr": Strategy(
        tasr,
        Role.GATE,
        calibrated=True,
        gained_nowhere=True,
        replay=ReplayNeeds(RecordedSignal.ANSWER_MARGIN),
    ),
    SCORE_GATE: _gate(score_gate, ReplayNeeds(RecordedSignal.OWN_SCORE), ScoreParameters),
}


ALL_STRATEGIES = PartTable(
    "argo_ml.policies", "strategy", STRATEGIES, lambda part: isinstance(part, Strategy)
)
"""The strategies above, and those of other installed packages."""


def find_strategy(name: str) -> Strategy:
    """Raises `ConfigError` for a name that is unknown."""
    if name not in ALL_STRATEGIES:
        raise ConfigError(f"strategy={name!r} is unknown{suggest(name, ALL_STRATEGIES)}")
    return ALL_STRATEGIES[name]


def strategy_parameters(name: str, spec: Spec) -> StrategyParameters | None:
    """What ``spec`` sets of a strategy. Raises `ConfigError` for what it may not, or must."""
    kind = find_strategy(name).parameters
    if kind is None and name not in given_parameters(spec):
        return None
    return read_parameters(name, kind or StrategyParameters, spec)


def make_policy(name: str, context: PolicyContext) -> Policy:
    """Raises `ConfigError` for an unknown name, and for what the calibration lacks."""
    try:
        return find_strategy(name).make(context)
    except NotProbedError as error:
        raise ConfigError(
            f"strategy={name} reads the {error.what} of every question, and this calibration was "
            f"made without; make one: argo-ml calibrate --policies …,{name}"
        ) from None
