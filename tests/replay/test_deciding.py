"""What policies decide about recorded questions, and the rows that come of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from builders.recorded_outcomes import choice_line, open_line

from argo_ml.config import ReplaySpec
from argo_ml.errors import ConfigError, DataError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import make_policy
from argo_ml.policies.base import Decision, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.graded import Graded
from argo_ml.policies.parameters import GradedParameters
from argo_ml.pricing import MoneyPrices, Tariff
from argo_ml.replay.at_once import best_recorded_plan, decide_questions
from argo_ml.replay.calibrating import ReplayState, make_replay_state
from argo_ml.replay.charging import Charges
from argo_ml.replay.deciding import KnownRows, policy_at
from argo_ml.replay.replaying import Replay, replay
from argo_ml.replay.rows import ReplayDecision, question_row
from argo_ml.replay.splitting import read_parts
from argo_ml.types import Action, Expectation, Prices, StopReason

pytestmark = pytest.mark.slow


MakeSpec = Callable[..., ReplaySpec]
MODEL_FREE = "never,single,oracle,entropy_gate,margin_gate,variance_gate"
"""Policies that embed nothing."""
READS_METADATA = "argo_advantage.reads_metadata"
CHARGES = Charges(Prices(0.1, 0.02))


@dataclass(frozen=True)
class Fixed:
    """Decides the same about all."""

    decision: Decision

    def decide(self, state: State, rng: random.Random) -> Decision:
        return self.decision


def replayed(make_spec: MakeSpec, n: int = 60, line: Any = open_line, **values: object) -> Replay:
    given = {"policies": MODEL_FREE, "retrieval_costs": "0.02,0.4", **values}
    lines = [line(number) for number in range(n)]
    return replay(make_spec(lines[: n // 2], lines[n // 2 :], **given))


def first_met(make_spec: MakeSpec, **none: object) -> ReplayState:
    lines = [open_line(0, **none), *(open_line(number) for number in range(1, 12))]
    parts = read_parts(make_spec(lines[:1], lines[1:]))
    return make_replay_state(parts.test[0], parts.common, {})


def test_plain_policies_take_their_plans(make_spec: MakeSpec) -> None:
    found = {(cell.strategy, cell.retrieval_cost): cell for cell in replayed(make_spec).cells}
    assert {each.plan for each in found["never", 0.02].decisions} == {"none"}
    assert {each.plan for each in found["single", 0.4].decisions} == {"retrieve"}
    for price in (0.02, 0.4):
        assert {row.cost for row in found["single", price].rows} == {price}
        assert {row.cost for row in found["never", price].rows} == {0.0}


def test_a_row_is_remembered_until_the_next_price(make_spec: MakeSpec) -> None:
    recorded, decision = first_met(make_spec).recorded, ReplayDecision("retrieve")
    known = KnownRows()
    row = known.row(recorded, decision)
    following = known.at_next_price()
    assert following.row(recorded, decision) is row
    forgotten = following.at_next_price().at_next_price()
    again = forgotten.row(recorded, decision)
    assert again == row
    assert again is not row


def test_cells_are_by_policy_then_by_price(make_spec: MakeSpec) -> None:
    cells = replayed(make_spec, policies="single,never", retrieval_costs="0.4,0.02").cells
    places = [(cell.strategy, cell.retrieval_cost) for cell in cells]
    assert places == [("single", 0.02), ("single", 0.4), ("never", 0.02), ("never", 0.4)]


def test_rows_are_those_of_the_recorded_outcomes(make_spec: MakeSpec) -> None:
    found = replayed(make_spec)
    for cell in found.cells:
        for met, taken, row in zip(found.tested, cell.decisions, cell.rows, strict=True):
            outcome = met.recorded.outcomes[taken.plan]
            assert (row.question_id, row.answer) == (met.recorded.id, outcome.answer.text)
            assert (row.correct, row.contains) == (outcome.correct, outcome.grade.contains)
            assert row.actions == (() if taken.plan == "none" else ("retrieve",))
            assert row.lm_calls_paid == row.synthesizer_calls == row.prompt_tokens == 0


@pytest.mark.parametrize("line", [open_line, choice_line])
def test_gates_retrieve_where_their_score_reaches_the_threshold(
    make_spec: MakeSpec, line: Any
) -> None:
    for cell in replayed(make_spec, line=line).cells:
        if cell.strategy.endswith("_gate"):
            threshold: float = cell.policy.threshold  # type: ignore[attr-defined]
            for taken in cell.decisions:
                assert taken.expected.score is not None
                assert (taken.plan == "retrieve") == (taken.expected.score >= threshold)


def test_a_budget_is_kept_on_the_questions_that_calibrate(make_spec: MakeSpec) -> None:
    found = replayed(make_spec, gate_budget=0.2)
    for cell in found.cells:
        if cell.strategy.endswith("_gate"):
            scores = cell.policy.calibration_scores  # type: ignore[attr-defined]
            threshold: float = cell.policy.threshold  # type: ignore[attr-defined]
            assert sum(score >= threshold for score in scores) <= 0.2 * len(scores)


def test_no_policy_beats_the_oracle_on_any_question(make_spec: MakeSpec) -> None:
    for mu in (0.5, 2.0):
        cells = replayed(make_spec, mu=mu).cells
        for price in (0.02, 0.4):
            utilities = {
                cell.strategy: [row.correct - mu * row.cost for row in cell.rows]
                for cell in cells
                if cell.retrieval_cost == price
            }
            for strategy, own in utilities.items():
                pairs = zip(own, utilities["oracle"], strict=True)
                assert all(mine <= best for mine, best in pairs), strategy


@pytest.mark.parametrize(
    ("right", "price", "plan"),
    [
        ({}, 0.1, "none"),
        ({"none", "retrieve"}, 0.1, "none"),
        ({"retrieve", "retrieve_1"}, 0.1, "retrieve"),
        ({"retrieve_5"}, 0.1, "retrieve_5"),
        ({"retrieve"}, 1.2, "none"),
    ],
)
def test_the_oracle_takes_the_cheapest_of_the_best(
    make_spec: MakeSpec, right: set[str], price: float, plan: str
) -> None:
    line = open_line(0)
    for name, outcome in line["outcomes"].items():
        outcome["correct"] = name in right
    others = [open_line(number) for number in range(1, 12)]
    [recorded] = read_parts(make_spec([line], others)).test
    assert best_recorded_plan(recorded, Charges(Prices(price, 0.02)), 1.0) == plan


def test_the_oracle_pays_what_each_answer_really_took(make_spec: MakeSpec) -> None:
    line = open_line(0)
    for name, outcome in line["outcomes"].items():
        outcome |= {"correct": name != "none", "seconds": {"retrieve_1": 1.0}.get(name, 3.0)}
    others = [open_line(number) for number in range(1, 12)]
    [recorded] = read_parts(make_spec([line], others)).test
    money = MoneyPrices(per_second=0.1, value_of_correct=1.0)
    charges = Charges(Prices(0.1, 0.02), Tariff(money, 0.1))
    assert best_recorded_plan(recorded, charges, 1.0) == "retrieve_1"


@pytest.mark.parametrize("name", ["entropy_gate", "variance_gate", "max_prob_gate", "benefit_gate"])
@pytest.mark.parametrize("budget", [None, 0.3])
def test_a_gate_at_another_price_is_the_one_made_there(
    make_spec: MakeSpec, name: str, budget: float | None
) -> None:
    calibration = replayed(make_spec).calibration
    parameters = GradedParameters(gate_budget=budget)
    policy: Any = None
    for price in (0.02, 0.1, 0.3, 0.9):
        solution = solve(MDPSpec(retrieval_cost=price, mu=0.7))
        context = PolicyContext(solution, parameters, calibration=calibration)
        policy, made = policy_at(name, context, policy), make_policy(name, context)
        assert policy.threshold == made.threshold  # type: ignore[attr-defined]


def test_a_number_of_passages_is_its_own_outcome(make_spec: MakeSpec) -> None:
    met = first_met(make_spec)
    for top_k, plan in ((None, "retrieve"), (1, "retrieve_1"), (5, "retrieve_5")):
        policy = Fixed(Decision(Action.RETRIEVE, top_k=top_k))
        [taken] = decide_questions(policy, [met], 0, CHARGES)
        assert taken.plan == plan
        assert question_row(met.recorded, taken).correct == met.recorded.outcomes[plan].correct


def test_graded_reads_more_for_the_less_certain(make_spec: MakeSpec) -> None:
    lines = [open_line(number, confidence=number / 40) for number in range(40)]
    for number, line in enumerate(lines):
        right = {"none": number >= 24, "retrieve_1": 4 <= number < 36, "retrieve_5": number < 24}
        for name, correct in right.items():
            line["outcomes"][name]["correct"] = correct
    spec = make_spec(lines[::2], lines[1::2], policies="graded", retrieval_costs="0.1")
    [cell] = replay(spec).cells
    assert isinstance(cell.policy, Graded)
    plans = [taken.plan for taken in cell.decisions]
    assert plans == ["retrieve_5"] * 8 + ["retrieve_1"] * 7 + ["none"] * 5


def test_a_chosen_outcome_that_is_missing_is_told(make_spec: MakeSpec) -> None:
    lines = [open_line(number, confidence=0.1) for number in range(24)]
    for line in lines:
        for name, correct in {"none": False, "retrieve_1": False, "retrieve_5": True}.items():
            line["outcomes"][name]["correct"] = correct
    del lines[2]["outcomes"]["retrieve_5"]
    spec = make_spec(lines[:12], lines[12:], policies="graded", retrieval_costs="0.1")
    message = (
        "line 3: outcomes.retrieve_5 is missing, which graded chose at retrieval_cost=0.1; record "
        "it for every question, or leave the policy out"
    )
    with pytest.raises(DataError, match=message):
        replay(spec)


def test_an_abstention_answers_nothing(make_spec: MakeSpec) -> None:
    met = first_met(make_spec, correct=True)
    expected = Expectation(confidence=0.05)
    policy = Fixed(Decision(Action.STOP, StopReason.ABSTAIN, expected=expected))
    [taken] = decide_questions(policy, [met], 0, CHARGES)
    row = question_row(met.recorded, taken)
    assert (taken.label, row.answer, row.correct, row.parsed) == ("abstain", "", False, True)
    assert (row.stop_reason, row.confidence) == ("abstain", 0.05)


@pytest.mark.parametrize(
    "decision", [Decision(Action.REASON), Decision(Action.RETRIEVE, query="another")]
)
def test_what_is_not_recorded_cannot_be_decided(make_spec: MakeSpec, decision: Decision) -> None:
    with pytest.raises(ConfigError, match=r"no such outcome is .*; leave the policy out"):
        decide_questions(Fixed(decision), [first_met(make_spec)], 0, CHARGES)


def test_confidence_is_of_the_answer_given(make_spec: MakeSpec) -> None:
    lines = [choice_line(number) for number in range(12)]
    lines[0]["outcomes"]["none"]["probabilities"] = [0.7, 0.1, 0.1, 0.1]
    lines[0]["outcomes"]["retrieve"]["probabilities"] = [0.05, 0.9, 0.05, 0.0]
    [recorded] = read_parts(make_spec(lines[:1], lines[1:])).test
    expected = Expectation(0.6, 0.2, 0.4)
    stopped = question_row(recorded, ReplayDecision("none", expected, has_probed_answer=True))
    retrieved = question_row(recorded, ReplayDecision("retrieve", expected, has_probed_answer=True))
    assert (stopped.confidence, retrieved.confidence) == (0.6, 0.9)
    assert question_row(recorded, ReplayDecision("none")).confidence == 0.7
    first, last = retrieved.decisions
    assert (first.action, first.score, first.expected_gain) == ("retrieve", 0.4, 0.2)
    assert first.correct == recorded.outcomes["none"].correct
    assert (last.action, last.correct) == ("stop", recorded.outcomes["retrieve"].correct)
    assert question_row(recorded, ReplayDecision("retrieve")).decisions == ()


def test_metadata_is_read_in_a_replay_where_it_is_asked_for(make_spec: MakeSpec) -> None:
    def line(number: int) -> dict[str, object]:
        return {**open_line(number), "metadata": {"source": "wiki" if number % 2 else "news"}}

    own = {"policies": "argo_advantage", "strategy_parameters": f"{READS_METADATA}=true"}
    assert {cell.strategy for cell in replayed(make_spec, line=line, **own).cells} == {
        "argo_advantage"
    }
    with pytest.raises(ConfigError, match="no field of the calibration's metadata"):
        replayed(make_spec, **own)


@pytest.mark.parametrize(
    ("policy", "parameter"), [("oracle", "oracle_steps=1"), ("graded", "abstain_below=0.4")]
)
def test_parameters_that_no_replay_can_keep_are_refused(
    make_spec: MakeSpec, policy: str, parameter: str
) -> None:
    message = f"{policy}.{parameter.partition('=')[0]} cannot be kept in a replay, where"
    with pytest.raises(ConfigError, match=message):
        replayed(make_spec, policies=policy, strategy_parameters=f"{policy}.{parameter}")


def test_few_questions_are_warned_of_once_whatever_is_replayed(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    both = replayed(make_spec, policies="never,tasr")
    [warning] = [text for text in caplog.messages if "questions calibrate" in text]
    assert warning.startswith("30 questions calibrate: accuracy without any step")
    assert both.learned.stepwise.metadata == both.learned.at_once.metadata
    assert {node.actions for node in both.learned.stepwise.nodes} == {(), ("retrieve",)}


def test_parameters_of_a_policy_that_is_not_replayed_are_refused(make_spec: MakeSpec) -> None:
    with pytest.raises(ConfigError, match="names argo_advantage, which is none of policies=never"):
        replayed(make_spec, policies="never", strategy_parameters=f"{READS_METADATA}=true")
