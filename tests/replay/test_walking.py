"""Policies that decide step by step, on recorded sequences of actions."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from builders.recorded_outcomes import open_line, tree_line

from argo_ml.config import ReplaySpec
from argo_ml.errors import DataError
from argo_ml.mdp.process import MDPSpec
from argo_ml.policies import STRATEGIES
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.replay.calibrating import ReplayState, calibrate_on_records, make_replay_state
from argo_ml.replay.recorded import Reach, common_reach
from argo_ml.replay.replaying import Replay, replay
from argo_ml.replay.rows import question_row
from argo_ml.replay.splitting import Parts, read_parts
from argo_ml.replay.walking import Walker
from argo_ml.types import Action, Expectation, StopReason

MakeSpec = Callable[..., ReplaySpec]
BOTH = frozenset({"retrieve", "reason"})
OF_P_HAT = tuple(name for name, strategy in STRATEGIES.items() if strategy.reports_p_hat)
STEPWISE = "argo,argo_optimal,always_retrieve,always_reason,random,argo_calibrated,argo_fitted,tasr"


@dataclass(frozen=True)
class Script:
    """Takes these actions, whatever it sees; expects as much as it has taken, and stops so."""

    actions: tuple[Action, ...]
    reason: StopReason = StopReason.POLICY

    def required_probes(self, state: State) -> frozenset[Probe]:
        return frozenset({Probe.ANSWER})

    def decide(self, state: State, rng: random.Random) -> Decision:
        n_steps = len(state.steps)
        expected = Expectation(confidence=n_steps / 10)
        if n_steps == len(self.actions):
            return Decision(Action.STOP, self.reason, expected=expected)
        return Decision(self.actions[n_steps], expected=expected)


def parts_of(make_spec: MakeSpec, depth: int = 2, n: int = 12) -> Parts:
    lines = [tree_line(number, depth) for number in range(n)]
    return read_parts(make_spec(lines[:2], lines[2:]))


def first(make_spec: MakeSpec) -> ReplayState:
    parts = parts_of(make_spec)
    return make_replay_state(parts.test[0], parts.common, {})


def walker(*actions: Action, max_steps: int = 2) -> Walker:
    return Walker(Script(actions), MDPSpec(retrieval_cost=0.1), max_steps, 0, "script chose")


def replayed(make_spec: MakeSpec, policies: str, n: int = 60, **values: object) -> Replay:
    lines = [tree_line(number) for number in range(n)]
    given = {"policies": policies, "retrieval_costs": "0.02,0.4", **values}
    return replay(make_spec(lines[: n // 2], lines[n // 2 :], **given))


def test_a_walk_ends_with_the_outcome_of_its_actions(make_spec: MakeSpec) -> None:
    own = first(make_spec)
    [walk] = walker(Action.REASON, Action.RETRIEVE).walks([own])
    row = question_row(own.recorded, walk)
    outcome = own.recorded.outcomes["reason>retrieve"]
    assert (walk.plan, row.actions) == ("reason>retrieve", ("reason", "retrieve"))
    assert (row.answer, row.correct) == (outcome.answer.text, outcome.correct)
    assert (row.retrieval_successes, row.lm_seconds) == (1, 1.0)


def test_a_walk_says_at_every_step_what_was_expected_and_what_was_right(
    make_spec: MakeSpec,
) -> None:
    own = first(make_spec)
    [walk] = walker(Action.RETRIEVE, Action.RETRIEVE).walks([own])
    decisions = question_row(own.recorded, walk).decisions
    assert [made.action for made in decisions] == ["retrieve", "retrieve", "stop"]
    assert [made.confidence for made in decisions] == [0.0, 0.1, 0.2]
    plans = ("none", "retrieve", "retrieve>retrieve")
    right = [own.recorded.outcomes[plan].correct for plan in plans]
    assert [made.correct for made in decisions] == right
    assert walk.root == Expectation(confidence=0.0)


@pytest.mark.parametrize("actions", [(), (Action.RETRIEVE,)])
def test_an_answer_that_is_withheld_is_never_right_and_took_what_it_took(
    make_spec: MakeSpec, actions: tuple[Action, ...]
) -> None:
    lines = [tree_line(number, correct=number % 2 == 0) for number in range(20)]
    parts = read_parts(make_spec(lines[:10], lines[10:]))
    states = [make_replay_state(own, parts.common, {}) for own in parts.test]
    script = Script(actions, StopReason.ABSTAIN)
    walks = Walker(script, MDPSpec(retrieval_cost=0.1), 2, 0, "script").walks(states)
    plan = "retrieve" if actions else "none"
    assert any(own.recorded.outcomes[plan].correct for own in states)
    for own, walk in zip(states, walks, strict=True):
        row = question_row(own.recorded, walk)
        assert (walk.label, walk.plan, row.stop_reason) == ("abstain", plan, "abstain")
        assert (row.answer, row.correct, row.token_f1) == ("", False, 0.0)
        assert row.lm_seconds == own.recorded.outcomes[plan].course.usage.seconds
        assert [made.correct for made in row.decisions][len(actions) :] == [
            False if actions else None
        ]


def test_a_walk_ends_at_the_limit(make_spec: MakeSpec) -> None:
    own = first(make_spec)
    [walk] = walker(Action.RETRIEVE, Action.RETRIEVE, max_steps=1).walks([own])
    assert (walk.plan, walk.stop_reason) == ("retrieve", StopReason.LIMIT)


def test_a_sequence_that_is_not_recorded_is_told_with_line_and_policy(make_spec: MakeSpec) -> None:
    message = (
        r"line 1: outcomes.retrieve>reason>reason is missing, which script chose; record it for "
        "every question, lower max_steps, or leave the policy out"
    )
    with pytest.raises(DataError, match=message):
        walker(*[Action.RETRIEVE, *[Action.REASON] * 2], max_steps=3).walks([first(make_spec)])


def test_states_on_the_way_hold_all_answers_before(make_spec: MakeSpec) -> None:
    own = first(make_spec)
    state = own.after(("retrieve", "reason"))
    texts = [now.answer.text for now in state.observations.answers if now is not None]
    plans = ("none", "retrieve", "retrieve>reason")
    assert texts == [own.recorded.outcomes[plan].answer.text for plan in plans]
    assert [step.action.value for step in state.steps] == ["retrieve", "reason"]
    assert state.steps[1].before == own.recorded.outcomes["retrieve"].answer


def test_a_calibration_explores_what_all_questions_have(make_spec: MakeSpec) -> None:
    parts = parts_of(make_spec)
    reach = common_reach(parts.all)
    states = [make_replay_state(recorded, parts.common, {}) for recorded in parts.calibration]
    calibration = calibrate_on_records(states, [], {}, reach)
    assert reach == Reach(2, BOTH)
    assert (calibration.horizon, len(calibration.nodes)) == (2, 7 * 10)
    assert calibration.gains["delta_p"].n > 0


def test_the_reach_is_that_of_the_shallowest_question(make_spec: MakeSpec) -> None:
    lines = [tree_line(number) for number in range(10)]
    for other, reach in (
        (tree_line(20, depth=3), Reach(2, BOTH)),
        (tree_line(20, depth=1), Reach(1, BOTH)),
        (open_line(20), Reach(1, frozenset({"retrieve"}))),
    ):
        assert common_reach(read_parts(make_spec([other], lines)).all) == reach


def test_every_stepwise_policy_is_replayed_at_any_price(make_spec: MakeSpec) -> None:
    found = {
        (cell.strategy, cell.retrieval_cost): cell
        for cell in replayed(make_spec, f"{STEPWISE},never,oracle", retrieval_costs="0.1,0.3").cells
    }
    assert len(found) == 2 * 10
    for cell in found.values():
        for row in cell.rows:
            paid = [{"retrieve": cell.retrieval_cost, "reason": 0.02}[a] for a in row.actions]
            assert row.cost == pytest.approx(sum(paid))
    assert {len(row.actions) for row in found["always_reason", 0.1].rows} == {2}
    best = found["oracle", 0.1].rows
    for name in STEPWISE.split(","):
        for row, ceiling in zip(found[name, 0.1].rows, best, strict=True):
            assert row.correct - row.cost <= ceiling.correct - ceiling.cost + 1e-9


def test_classes_of_adaptive_rag_come_to_one_recorded_plan(make_spec: MakeSpec) -> None:
    lines = [tree_line(number) for number in range(60)]
    for line in lines:
        for plan, outcome in line["outcomes"].items():
            outcome["correct"] = plan == "multi"
    given = {"policies": "adaptive_rag", "retrieval_costs": "0.1"}
    [cell] = replay(make_spec(lines[:30], lines[30:], **given)).cells
    assert {row.actions for row in cell.rows} == {("retrieve", "retrieve")}
    assert {row.correct for row in cell.rows} == {True}
    del lines[4]["outcomes"]["multi"]["actions"]
    message = r"line 5: outcomes.multi.actions is missing, which adap.*; record .*, or leave the po"
    with pytest.raises(DataError, match=message):
        replay(make_spec(lines[:30], lines[30:], **given))


def test_two_answers_are_enough_for_the_policies_of_p_hat(make_spec: MakeSpec) -> None:
    lines = [open_line(number) for number in range(60)]
    given: dict[str, Any] = {"policies": "argo_calibrated,argo_fitted", "retrieval_costs": "0.1"}
    cells = replay(make_spec(lines[:30], lines[30:], **given)).cells
    assert [cell.strategy for cell in cells] == ["argo_calibrated", "argo_fitted"]
    assert {row.actions for cell in cells for row in cell.rows} <= {(), ("retrieve",)}


def test_every_policy_of_p_hat_reports_the_recorded_one(make_spec: MakeSpec) -> None:
    lines = [tree_line(number, confidence=number / 100) for number in range(60)]
    given: dict[str, Any] = {"policies": ",".join(OF_P_HAT), "retrieval_costs": "0.1"}
    cells = replay(make_spec(lines[:30], lines[30:], **given)).cells
    assert tuple(cell.strategy for cell in cells) == OF_P_HAT
    for cell in cells:
        confidences = [row.decisions[0].confidence for row in cell.rows]
        assert confidences == [number / 100 for number in range(30)], cell.strategy
