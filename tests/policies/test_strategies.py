import random
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_ml.config import SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import STRATEGIES, PolicyContext, make_policy
from argo_ml.policies.base import Decision, Policy, State
from argo_ml.policies.parameters import (
    AdvantageParameters,
    OracleParameters,
    ScoreParameters,
    StrategyParameters,
    ThresholdParameters,
)
from argo_ml.policies.strategies import strategy_parameters
from argo_ml.policies.thresholds import ThresholdPolicy
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.testing.policies import PolicyConformance, ProgressConformance
from argo_ml.types import Action, Question, StopReason

QUESTION = Question(id="q", text="What is asked?")
CHEAP, DEAR = MDPSpec(retrieval_cost=0.02), MDPSpec(retrieval_cost=0.2)


class StrategyConformance(PolicyConformance):
    strategy: str

    def make(self, context: PolicyContext) -> Policy:
        return make_policy(self.strategy, context)


class ProgressStrategyConformance(StrategyConformance, ProgressConformance):
    pass


BY_PROGRESS = frozenset(
    {"argo", "argo_optimal", "always_retrieve", "always_reason", "random", "fixed_threshold"}
)
PARAMETERS: dict[str, tuple[StrategyParameters, ...]] = {
    "fixed_threshold": (ThresholdParameters(theta_cont=0.3, theta_star=0.6),),
    "oracle": (OracleParameters(),),
    "argo_advantage": (AdvantageParameters(),),
    "score_gate": (ScoreParameters(), ScoreParameters(name="sureness", reads_answer=True)),
}


def conformance(name: str) -> type[PolicyConformance]:
    """The suite that a strategy has to pass."""
    base = ProgressStrategyConformance if name in BY_PROGRESS else StrategyConformance
    parameters = PARAMETERS.get(name, base.parameters)
    return type(f"Test_{name}", (base,), {"strategy": name, "parameters": parameters})


for _name in STRATEGIES:
    globals()[f"Test_{_name}"] = conformance(_name)


def test_every_strategy_proves_the_contract() -> None:
    suites = [*StrategyConformance.__subclasses__(), *ProgressStrategyConformance.__subclasses__()]
    proven = {suite.strategy for suite in suites if suite is not ProgressStrategyConformance}
    assert proven == set(STRATEGIES)


def actions_of(name: str, spec: MDPSpec) -> list[Action]:
    policy = make_policy(name, PolicyContext(solve(spec), *PARAMETERS.get(name, ())))
    actions: list[Action] = []
    progress = 0.0
    while True:
        decision = policy.decide(State(QUESTION, progress), random.Random(len(actions)))
        if decision.action is Action.STOP:
            return actions
        actions.append(decision.action)
        progress = spec.gains.advance(progress, decision.action, succeeded=True)


def test_argo_retrieves_four_times_when_retrieval_is_cheap() -> None:
    assert actions_of("argo", CHEAP) == [Action.RETRIEVE] * 4


def test_argo_reasons_thirteen_times_when_retrieval_is_dear() -> None:
    assert actions_of("argo", DEAR) == [Action.REASON] * 13


def test_always_retrieve_and_always_reason_do_so_at_every_price() -> None:
    for spec in (CHEAP, DEAR):
        assert actions_of("always_retrieve", spec) == [Action.RETRIEVE] * 4
        assert actions_of("always_reason", spec) == [Action.REASON] * 13


def test_fixed_threshold_retrieves_below_the_first_and_reasons_below_the_second() -> None:
    # 0.25, 0.5, then 0.58, 0.66.
    expected = [Action.RETRIEVE, Action.RETRIEVE, Action.REASON, Action.REASON]
    assert actions_of("fixed_threshold", DEAR) == expected


def test_baselines_answer_at_once_where_argo_does() -> None:
    worthless = MDPSpec(retrieval_cost=50.0, reason_cost=50.0)
    assert solve(worthless).theta_star == 0.0
    for name in ("argo", "argo_optimal", "always_retrieve", "always_reason", "random"):
        assert actions_of(name, worthless) == []


@pytest.mark.parametrize("name", ["argo", "always_retrieve", "always_reason", "random"])
def test_stopping_at_the_threshold_is_reported_so(name: str) -> None:
    policy = make_policy(name, PolicyContext(solve(CHEAP)))
    decision = policy.decide(State(QUESTION, 1.0), random.Random(0))
    assert decision == Decision(Action.STOP, StopReason.THRESHOLD)


def test_argo_optimal_reports_its_stop_as_the_policy_s() -> None:
    policy = make_policy("argo_optimal", PolicyContext(solve(CHEAP)))
    decision = policy.decide(State(QUESTION, 1.0), random.Random(0))
    assert decision == Decision(Action.STOP, StopReason.POLICY)


def test_argo_optimal_follows_the_table_state_by_state() -> None:
    solution = solve(MDPSpec(retrieval_cost=0.026, mu=0.6))
    policy = make_policy("argo_optimal", PolicyContext(solution))
    decided = [
        policy.decide(State(QUESTION, progress), random.Random(0)).action
        for progress in solution.states
    ]
    assert tuple(decided) == solution.actions
    assert set(decided) == set(Action)


def test_argo_optimal_acts_between_states_as_in_the_lower_one() -> None:
    # Defaults at this price: reason at 0.16, retrieve at 0.24.
    policy = make_policy("argo_optimal", PolicyContext(solve(MDPSpec(0.026, mu=0.6))))
    assert policy.decide(State(QUESTION, 0.2), random.Random(0)).action is Action.REASON


def test_random_takes_each_action_about_half_of_the_time() -> None:
    policy = make_policy("random", PolicyContext(solve(CHEAP)))
    decided = [policy.decide(State(QUESTION), random.Random(seed)).action for seed in range(400)]
    assert 160 <= decided.count(Action.RETRIEVE) <= 240
    assert decided.count(Action.STOP) == 0


def test_random_draws_the_same_at_every_price() -> None:
    first, second = (
        [
            make_policy("random", PolicyContext(solve(spec)))
            .decide(State(QUESTION), random.Random(seed))
            .action
            for seed in range(50)
        ]
        for spec in (CHEAP, DEAR)
    )
    assert first == second


def test_always_retrieve_never_needs_fewer_successes_than_argo() -> None:
    for price in (0.02 * step for step in range(1, 11)):
        for gains in ((0.25, 0.08), (0.3, 0.11), (0.07, 0.2)):
            spec = MDPSpec(price, delta_r=gains[0], delta_p=gains[1])
            argo = actions_of("argo", spec).count(Action.RETRIEVE)
            assert argo <= actions_of("always_retrieve", spec).count(Action.RETRIEVE)


def test_unknown_strategy_is_named_with_the_known_ones() -> None:
    reason = r"strategy='agro' is unknown; did you mean 'argo'\? known: argo, argo_optimal"
    with pytest.raises(ConfigError, match=reason):
        make_policy("agro", PolicyContext(solve(CHEAP)))


def test_fixed_threshold_without_thresholds_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs theta_cont and theta_star"):
        strategy_parameters("fixed_threshold", build(SweepSpec, {"theta_cont": 0.5}))


def test_threshold_beyond_full_progress_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"theta_star=1\.2 must not exceed u_max=1\.0"):
        build(SweepSpec, {"theta_cont": 0.5, "theta_star": 1.2})


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match=r"theta_cont=0\.6 must be from 0 to theta_star=0\.4"):
        ThresholdPolicy(0.6, 0.4)


def test_every_named_strategy_can_be_built() -> None:
    assert set(STRATEGIES) >= {
        "argo",
        "argo_optimal",
        "always_retrieve",
        "always_reason",
        "random",
        "fixed_threshold",
        "never",
        "single",
        "argo_calibrated",
        "argo_fitted",
        "argo_advantage",
        "argo_segment",
        "oracle",
        "entropy_gate",
        "margin_gate",
        "variance_gate",
        "max_prob_gate",
        "graded",
        "benefit_gate",
        "skr_knn",
        "question_only",
        "flare",
        "adaptive_rag",
        "tasr",
        "stop_rag",
        "raser",
        "value_of_information",
    }


@settings(max_examples=60)
@given(
    price=st.floats(0.001, 0.5),
    delta_r=st.floats(0.05, 0.6),
    delta_p=st.floats(0.05, 0.6),
    mu=st.floats(0.1, 2.0),
)
def test_argo_takes_exactly_the_actions_that_its_thresholds_promise(
    price: float, delta_r: float, delta_p: float, mu: float
) -> None:
    spec = MDPSpec(price, delta_r=delta_r, delta_p=delta_p, mu=mu)
    solution = solve(spec)
    actions = actions_of("argo", spec)
    progress = list(
        accumulate(
            actions, lambda at, action: spec.gains.advance(at, action, succeeded=True), initial=0.0
        )
    )
    n_retrieve = actions.count(Action.RETRIEVE)
    assert set(actions[:n_retrieve]) <= {Action.RETRIEVE}
    assert progress[n_retrieve] == solution.theta_cont
    assert progress[-1] == solution.theta_star


@settings(max_examples=60)
@given(price=st.floats(0.001, 0.5), delta_r=st.floats(0.05, 0.6), delta_p=st.floats(0.05, 0.6))
def test_argo_optimal_takes_the_table_s_action_in_every_state_it_meets(
    price: float, delta_r: float, delta_p: float
) -> None:
    spec = MDPSpec(price, delta_r=delta_r, delta_p=delta_p)
    solution = solve(spec)
    table = dict(zip(solution.states, solution.actions, strict=True))
    progress = 0.0
    for action in actions_of("argo_optimal", spec):
        assert table[progress] is action
        progress = spec.gains.advance(progress, action, succeeded=True)
    assert table[progress] is Action.STOP


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("entropy_gate", "draft"),
        ("margin_gate", "draft"),
        ("variance_gate", "sampled drafts"),
        ("flare", "tentative sentence"),
    ],
)
def test_a_policy_whose_probe_the_calibration_lacks_says_which_to_make(
    name: str, what: str
) -> None:
    calibration = recorded_calibration([seen_question({"none": True, "retrieve": True})])
    reason = f"strategy={name} reads the {what} of every question, .* calibrate --policies …,{name}"
    with pytest.raises(ConfigError, match=reason):
        make_policy(name, PolicyContext(solve(CHEAP), calibration=calibration))
