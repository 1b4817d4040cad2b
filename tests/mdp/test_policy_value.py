from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.mdp.policy_value import ProgressPolicy, policy_value
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext, make_policy
from argo_ml.policies.parameters import ThresholdParameters
from argo_ml.policies.random_choice import RandomChoice
from argo_ml.policies.thresholds import ThresholdPolicy
from argo_ml.types import Action

SPECS = st.builds(
    MDPSpec,
    retrieval_cost=st.floats(0.001, 0.5),
    delta_r=st.floats(0.15, 1.2),
    delta_p=st.floats(0.15, 1.2),
    p_s=st.floats(0.2, 1.0),
    gamma=st.floats(0.5, 1.0),
    quality=st.sampled_from(["linear", "sqrt"]),
)


BY_PROGRESS = (
    "argo",
    "argo_optimal",
    "always_retrieve",
    "always_reason",
    "random",
    "fixed_threshold",
)


def value_of(strategy: str, spec: MDPSpec) -> float:
    is_fixed = strategy == "fixed_threshold"
    thresholds = ThresholdParameters(theta_cont=0.3, theta_star=0.6) if is_fixed else None
    policy = make_policy(strategy, PolicyContext(solve(spec), thresholds))
    assert isinstance(policy, ProgressPolicy)
    return policy_value(spec, policy)


@given(spec=SPECS)
def test_argo_and_the_full_table_have_the_solver_s_values(spec: MDPSpec) -> None:
    solution = solve(spec)
    assert value_of("argo", spec) == pytest.approx(solution.threshold_value, abs=1e-9)
    assert value_of("argo_optimal", spec) == pytest.approx(solution.optimal_value, abs=1e-9)


@given(spec=SPECS, pair=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_any_pair_has_the_value_of_the_linear_system(
    spec: MDPSpec, pair: tuple[int, int], brute_force: Any
) -> None:
    states = solve(spec).states
    # Slightly below the states themselves: the two keep progress to different digits.
    low, high = sorted(max(states[index % len(states)] - 1e-9, 0.0) for index in pair)
    expected = brute_force(spec).threshold_value(low, high)
    assert policy_value(spec, ThresholdPolicy(low, high)) == pytest.approx(expected, abs=1e-9)


@given(spec=SPECS)
def test_no_strategy_is_worth_more_than_the_optimum(spec: MDPSpec) -> None:
    optimum = solve(spec).optimal_value
    assert all(value_of(strategy, spec) <= optimum + 1e-9 for strategy in BY_PROGRESS)


def test_random_s_value_by_hand() -> None:
    spec = MDPSpec(retrieval_cost=0.1, delta_r=1.0, delta_p=1.0, p_s=0.5, gamma=0.9)
    # V = 1/2 (-0.1 + 0.9 (0.5 + 0.5 V)) + 1/2 (-0.02 + 0.9)
    expected = (0.5 * (-0.1 + 0.45) + 0.5 * 0.88) / (1 - 0.5 * 0.45)
    assert policy_value(spec, RandomChoice(1.0)) == pytest.approx(expected)


def test_stopping_at_once_is_worth_nothing_with_linear_quality() -> None:
    assert policy_value(MDPSpec(0.1), ThresholdPolicy(0.0, 0.0)) == 0.0


def test_baselines_pay_for_every_needless_retrieval() -> None:
    dear = MDPSpec(retrieval_cost=0.2)
    # Four retrievals, each tried 1/p_s = 1.25 times, cost far more than they are worth.
    assert value_of("always_retrieve", dear) < 0 < value_of("always_reason", dear)
    cheap = replace(dear, retrieval_cost=0.02)
    assert value_of("always_retrieve", cheap) > value_of("always_reason", cheap)


@dataclass(frozen=True)
class NeverStops:
    def probabilities(self, progress: float) -> dict[Action, float]:
        return {Action.REASON: 1.0}


def test_policy_that_never_stops_is_refused() -> None:
    with pytest.raises(ValueError, match=r"does not stop at u_max=1\.0"):
        policy_value(MDPSpec(0.1), NeverStops())
