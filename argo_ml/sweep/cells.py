"""Cells ready to run: a strategy at a price with its policy, its pipeline and its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from argo_ml.calibration.gains import usable_gains
from argo_ml.calibration.record import Calibration
from argo_ml.config import (
    AdaptiveFields,
    CellSpec,
    GradingFields,
    MoneyFields,
    identity_fields,
)
from argo_ml.errors import ConfigError
from argo_ml.mdp.policy_value import ProgressPolicy, policy_value
from argo_ml.mdp.process import MDPSpec, Solution
from argo_ml.models.counting import CountTokens
from argo_ml.pipeline import Pipeline, build_pipeline
from argo_ml.policies import Policy, make_policy
from argo_ml.policies.base import State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.strategies import find_strategy, strategy_parameters
from argo_ml.policies.thresholds import ThresholdPolicy
from argo_ml.pricing import Tariff
from argo_ml.results.artifacts import CALIBRATION_DIGEST, cell_name
from argo_ml.results.records import PolicyTable
from argo_ml.types import Prices


@dataclass(frozen=True, slots=True)
class Cell:
    spec: CellSpec
    id: str
    policy: Policy
    pipeline: Pipeline
    table: PolicyTable

    @property
    def name(self) -> str:
        return cell_name(self.spec.strategy, self.spec.retrieval_cost)

    @property
    def knows_answers(self) -> bool:
        """Whether its strategy is a ceiling, which chooses knowing the gold answers."""
        return find_strategy(self.spec.strategy).is_ceiling


def cell_id(spec: CellSpec, digests: Mapping[str, str]) -> str:
    """Hash everything that can change the cell's numbers.

    ``digests`` stands for the contents of questions, corpus, model and calibration, whose paths
    do not count; the calibration's counts only where the cell acts by it.
    """
    added = {
        name: value
        for fields in (AdaptiveFields(), GradingFields(), MoneyFields())
        for name, value in fields.model_dump(mode="json").items()
    }
    # Fields of later versions count where they are used, so that older cells keep their id.
    fields = {
        name: value
        for name, value in identity_fields(spec).items()
        if name not in added or value != added[name]
    }
    content = {**fields, "min_similarity": spec.similarity_limit, **digests}
    if spec.steps_gain_as_measured:
        content["step_gains"] = spec.gains
    if not acts_by_calibration(spec):
        content.pop(CALIBRATION_DIGEST, None)
    canonical = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def acts_by_calibration(spec: CellSpec) -> bool:
    return spec.wants_calibration or find_strategy(spec.strategy).calibrated


def cell_process(spec: CellSpec, calibration: Calibration | None) -> MDPSpec:
    """The process at the cell's price, with the gains that were measured where they are wanted."""
    prices = expected_prices(spec, calibration)
    given = replace(spec.mdp(prices.retrieve), reason_cost=prices.reason)
    if spec.gains == "given" or calibration is None:
        return given
    gains = usable_gains(calibration, given.u_max)
    return replace(given, delta_r=gains.delta_r, delta_p=gains.delta_p, p_s=gains.p_s)


def expected_prices(spec: CellSpec, calibration: Calibration | None) -> Prices:
    """What actions and looks are expected to cost, in shares of a right answer.

    In a unit of the user's own it is what they used on the calibration's questions.
    Raises `ConfigError` for a calibration of an earlier version, which did not measure it.
    """
    money = spec.money
    if money is None:
        return Prices(spec.retrieval_cost, spec.reason_cost, spec.probe_cost)
    measured = calibration.action_usage if calibration else {}
    if money.prices_usage and calibration and not measured:
        raise ConfigError(
            f"calibration={spec.calibration}: was made by a version that did not measure what "
            "actions use, which prices of tokens and seconds need; make one: argo-ml calibrate"
        )
    return money.expected(measured, spec.retrieval_cost)


def cell_tariff(spec: CellSpec) -> Tariff | None:
    """What a question costs by what it used; None where actions have fixed prices."""
    return None if spec.money is None else Tariff(spec.money, spec.retrieval_cost)


def measure(spec: CellSpec, calibration: Calibration | None) -> Callable[[State], float] | None:
    """Progress as u_max x p-hat; None where progress advances by fixed gains."""
    if spec.progress == "fixed" or calibration is None:
        return None
    confidence, u_max = calibration.confidence, spec.u_max
    return lambda state: u_max * confidence(state)


def cell_pipeline(
    spec: CellSpec, calibration: Calibration | None, count_tokens: CountTokens
) -> Pipeline:
    """The pipeline in which a step advances progress as the cell's own process says."""
    gains = cell_process(spec, calibration).gains
    progress = measure(spec, calibration)
    return build_pipeline(spec, count_tokens, progress, cell_tariff(spec), gains)


def cell_policy(
    spec: CellSpec, solution: Solution, calibration: Calibration | None = None
) -> Policy:
    context = PolicyContext(
        solution,
        strategy_parameters(spec.strategy, spec),
        max_steps=spec.max_steps,
        probe_cost=expected_prices(spec, calibration).probe,
        calibration=calibration,
    )
    return make_policy(spec.strategy, context)


def policy_table(solution: Solution, policy: Policy) -> PolicyTable:
    """The solved process, and what acting by ``policy`` is worth in it."""
    value = policy_value(solution.spec, policy) if isinstance(policy, ProgressPolicy) else None
    thresholds = policy if isinstance(policy, ThresholdPolicy) else None
    return PolicyTable(
        states=solution.states,
        value=solution.value,
        q_retrieve=solution.q_retrieve,
        q_reason=solution.q_reason,
        q_stop=solution.q_stop,
        actions=tuple(action.value for action in solution.actions),
        theta_cont=thresholds and thresholds.theta_cont,
        theta_star=thresholds and thresholds.theta_star,
        policy_value=value,
        policy_regret=None if value is None else solution.optimal_value - value,
    )
