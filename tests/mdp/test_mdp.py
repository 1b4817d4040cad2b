from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from argo_ml.mdp.process import MDPSpec, Solution, solve
from argo_ml.mdp.quality import QUALITIES
from argo_ml.types import Action

PRICE = st.floats(0.001, 1.0)
SPECS = st.builds(
    MDPSpec,
    retrieval_cost=PRICE,
    reason_cost=st.floats(0.001, 0.2),
    delta_r=st.floats(0.15, 1.2),
    delta_p=st.floats(0.15, 1.2),
    p_s=st.floats(0.2, 1.0) | st.just(1.0),
    mu=st.floats(0.0, 3.0) | st.just(0.0),
    gamma=st.floats(0.5, 1.0) | st.just(1.0),
    u_max=st.sampled_from([1.0, 0.7, 1.3]),
    quality=st.sampled_from(sorted(QUALITIES)),
    alpha=st.floats(0.2, 12.0),
)


@given(spec=SPECS)
def test_optimal_value_equals_value_iteration(spec: MDPSpec, brute_force: Any) -> None:
    assert solve(spec).optimal_value == pytest.approx(brute_force(spec).optimal_value(), abs=1e-9)


@settings(max_examples=40)
@example(
    spec=MDPSpec(
        retrieval_cost=1.0,
        reason_cost=0.1875,
        delta_r=1.0,
        delta_p=0.7929704597487753,
        p_s=1.0,
        gamma=1.0,
        u_max=1.3,
        quality="saturating",
        alpha=1.0,
    )
)
@given(spec=SPECS)
def test_found_pair_is_the_best_of_all_and_has_its_stated_value(
    spec: MDPSpec, brute_force: Any
) -> None:
    solution, exact = solve(spec), brute_force(spec)
    best = max(exact.threshold_value(low, high) for low, high in exact.pairs())
    # Slightly below the states themselves: the two keep progress to different digits.
    value = exact.threshold_value(solution.theta_cont - 1e-9, solution.theta_star - 1e-9)
    assert solution.threshold_value == pytest.approx(best, abs=1e-9)
    assert value == pytest.approx(best, abs=1e-9)


@given(SPECS)
def test_no_pair_beats_the_optimum_and_thresholds_are_in_order(spec: MDPSpec) -> None:
    solution = solve(spec)
    assert solution.policy_regret >= 0
    assert 0 <= solution.theta_cont <= solution.theta_star <= spec.u_max
    assert {solution.theta_cont, solution.theta_star} <= set(solution.states)


@given(SPECS)
def test_q_values_satisfy_the_bellman_equations(spec: MDPSpec) -> None:
    solution = solve(spec)
    value = dict(zip(solution.states, solution.value, strict=True))
    for index, state in enumerate(solution.states):
        up_retrieve = value[spec.gains.advance(state, Action.RETRIEVE, succeeded=True)]
        up_reason = value[spec.gains.advance(state, Action.REASON, succeeded=True)]
        mixed = spec.p_s * up_retrieve + (1 - spec.p_s) * value[state]
        q_retrieve = -spec.mu * spec.retrieval_cost + spec.gamma * mixed
        q_reason = -spec.mu * spec.reason_cost + spec.gamma * up_reason
        best = max(q_retrieve, q_reason, solution.q_stop[index])
        assert solution.q_retrieve[index] == pytest.approx(q_retrieve, abs=1e-12)
        assert solution.q_reason[index] == pytest.approx(q_reason, abs=1e-12)
        assert value[state] == pytest.approx(best, abs=1e-11)


@given(SPECS)
def test_the_table_s_action_has_the_largest_q(spec: MDPSpec) -> None:
    solution = solve(spec)
    of_action = {
        Action.RETRIEVE: solution.q_retrieve,
        Action.REASON: solution.q_reason,
        Action.STOP: solution.q_stop,
    }
    for index, action in enumerate(solution.actions):
        assert of_action[action][index] == pytest.approx(solution.value[index], abs=1e-11)
    assert solution.actions[-1] is Action.STOP


@given(SPECS, PRICE, PRICE)
def test_value_never_rises_with_the_price(spec: MDPSpec, price: float, other_price: float) -> None:
    cheap, dear = sorted((price, other_price))
    at_cheap = solve(replace(spec, retrieval_cost=cheap))
    at_dear = solve(replace(spec, retrieval_cost=dear))
    assert at_cheap.optimal_value >= at_dear.optimal_value
    assert at_cheap.threshold_value >= at_dear.threshold_value - 1e-9


def n_retrievals(solution: Solution) -> int:
    """Successful retrievals that the pair of thresholds makes from U = 0."""
    progress, count = 0.0, 0
    while progress < solution.theta_cont:
        progress = solution.spec.gains.advance(progress, Action.RETRIEVE, succeeded=True)
        count += 1
    return count


def test_retrievals_fall_from_four_to_none_over_the_default_prices() -> None:
    prices = [0.02 * step for step in range(1, 11)]
    counts = [n_retrievals(solve(MDPSpec(price))) for price in prices]
    assert counts == [4, 4, 4, 0, 0, 0, 0, 0, 0, 0]


def test_design_example_alternates_and_a_naive_reading_loses_a_fifth(brute_force: Any) -> None:
    spec = MDPSpec(retrieval_cost=0.026, mu=0.6)
    solution = solve(spec)
    first_reason = solution.states[solution.actions.index(Action.REASON)]
    first_stop = solution.states[solution.actions.index(Action.STOP)]
    naive = brute_force(spec).threshold_value(first_reason, first_stop)
    bands = [action for action, _ in groupby(solution.actions)]
    assert bands == [Action.RETRIEVE, Action.REASON] * 4 + [Action.STOP]
    assert solution.optimal_value == pytest.approx(0.829, abs=5e-4)
    assert solution.threshold_value == solution.optimal_value
    assert naive == pytest.approx(0.672, abs=5e-4)


def test_four_retrievals_below_the_change_and_thirteen_reasoning_steps_above_it() -> None:
    below, above = solve(MDPSpec(retrieval_cost=0.076)), solve(MDPSpec(retrieval_cost=0.077))
    assert (below.theta_cont, below.theta_star) == (1.0, 1.0)
    assert (above.theta_cont, above.theta_star) == (0.0, 1.0)


def test_two_thresholds_lose_value_near_the_change_and_none_far_from_it() -> None:
    regret = [solve(MDPSpec(retrieval_cost=price)).policy_regret for price in (0.02, 0.0765, 0.2)]
    assert regret == pytest.approx([0.0, 0.00679, 0.0], abs=1e-5)


def test_value_of_a_process_with_one_retrieval_by_hand() -> None:
    # One success reaches u_max: V = (-0.1 + 0.9 * 0.5 * 1) / (1 - 0.9 * 0.5).
    spec = MDPSpec(0.1, reason_cost=5.0, delta_r=1.0, delta_p=1.0, p_s=0.5, mu=1.0, gamma=0.9)
    solution = solve(spec)
    assert solution.states == (0.0, 1.0)
    assert solution.value == pytest.approx((0.35 / 0.55, 1.0))
    assert solution.actions == (Action.RETRIEVE, Action.STOP)
    assert (solution.theta_cont, solution.theta_star) == (1.0, 1.0)


def test_without_discount_and_failures_a_retrieval_costs_its_price_alone() -> None:
    spec = MDPSpec(0.1, reason_cost=0.3, delta_r=0.5, delta_p=0.5, p_s=1.0, mu=1.0, gamma=1.0)
    assert solve(spec).value == pytest.approx((0.8, 0.9, 1.0))


def test_absurd_prices_make_stopping_at_once_the_best() -> None:
    solution = solve(MDPSpec(retrieval_cost=1e300, reason_cost=1e300, mu=1e300))
    assert set(solution.actions) == {Action.STOP}
    assert (solution.theta_cont, solution.theta_star) == (0.0, 0.0)
    assert solution.policy_regret == 0.0


def test_free_actions_without_discount_reach_full_progress() -> None:
    solution = solve(MDPSpec(retrieval_cost=1.0, mu=0.0, gamma=1.0))
    assert solution.optimal_value == solution.threshold_value == 1.0
    assert solution.theta_star == 1.0


def test_nearly_impossible_retrieval_divides_by_no_zero() -> None:
    solution = solve(MDPSpec(retrieval_cost=0.02, p_s=1e-300, gamma=1.0))
    assert (solution.theta_cont, solution.theta_star) == (0.0, 1.0)


def test_reasoning_comes_before_retrieving_of_equal_value() -> None:
    equal = MDPSpec(0.02, reason_cost=0.02, delta_r=0.25, delta_p=0.25, p_s=1.0)
    solution = solve(equal)
    assert set(solution.actions[:-1]) == {Action.REASON}
    assert solution.theta_cont == 0.0


def test_thirteenth_step_is_taken_at_exactly_its_worth_and_not_above() -> None:
    # From U = 0.96 it is worth 0.98 * 1.0 - 0.96 = 0.02.
    equal, above = (solve(MDPSpec(0.5, reason_cost=cost)) for cost in (0.02, 0.02 + 1e-9))
    assert equal.theta_star == 1.0
    assert above.theta_star == 0.96


def test_a_thousand_and_one_states_are_solved_exactly() -> None:
    # Without discount and failures, reasoning costs 0.5 per unit of progress at every state.
    spec = MDPSpec(0.2, reason_cost=0.0005, delta_p=0.001, p_s=1.0, gamma=1.0)
    solution = solve(spec)
    assert len(solution.states) == 1001
    assert solution.value == pytest.approx([0.5 + 0.5 * state for state in solution.states])
    assert (solution.theta_cont, solution.theta_star) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("retrieval_cost", 0.0, "retrieval_cost=0.0 must be a finite number above 0"),
        ("retrieval_cost", float("nan"), "retrieval_cost=nan must be a finite number above 0"),
        ("reason_cost", -0.1, "reason_cost=-0.1 must be"),
        ("delta_r", 0.0, "delta_r=0.0 must be"),
        ("delta_p", float("inf"), "delta_p=inf must be"),
        ("u_max", 0.0, "u_max=0.0 must be"),
        ("alpha", 0.0, "alpha=0.0 must be"),
        ("p_s", 0.0, "p_s=0.0 must be above 0 and at most 1"),
        ("p_s", 1.2, "p_s=1.2 must be above 0 and at most 1"),
        ("gamma", 1.01, "gamma=1.01 must be above 0 and at most 1"),
        ("mu", -1.0, "mu=-1.0 must be a finite number, at least 0"),
        ("quality", "cubic", "quality='cubic' is unknown; known: linear, sqrt, saturating, sigm"),
        ("delta_p", 1e-6, "delta_p=1e-06 must be at least 0.0001 for u_max=1.0"),
    ],
)
def test_bad_value_is_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        replace(MDPSpec(retrieval_cost=0.1), **{field: value})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
