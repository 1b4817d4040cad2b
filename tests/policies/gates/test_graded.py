import math
import random
from dataclasses import replace
from typing import Any

import pytest

from argo_ml.calibration.plans import SIZED
from argo_ml.calibration.record import CalibrationQuestion
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.gates.graded import Graded, graded
from argo_ml.policies.gates.grades import Grades, grades_by_line
from argo_ml.policies.parameters import GradedParameters
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Action, Expectation, Step, StopReason

RNG = random.Random(0)
STEP = Step("sub-question", Action.RETRIEVE, "sub-answer", 0.25, cost=0.1)
CALIBRATION = recorded_calibration([])


def tried(confidence: float, none: bool, one: bool, five: bool) -> CalibrationQuestion:
    outcomes = {"none": none, "retrieve_1": one, "retrieve_5": five}
    return seen_question(outcomes, probabilities=(confidence, 1.0 - confidence))


# The less sure the more it takes: nothing, one passage, five passages.
QUESTIONS = (
    tried(0.875, none=True, one=False, five=False),
    tried(0.75, none=False, one=True, five=False),
    tried(0.625, none=False, one=False, five=True),
    tried(0.5, none=False, one=False, five=True),
)


def context(price: float = 0.1, **settings: Any) -> PolicyContext:
    solution, calibration = solve(MDPSpec(retrieval_cost=price)), recorded_calibration(QUESTIONS)
    return PolicyContext(solution, GradedParameters(**settings), calibration=calibration)


def test_thresholds_separate_what_each_question_takes() -> None:
    policy = Graded(CALIBRATION, Grades(0.25, 0.375))
    decisions = [policy.decide(question.state(), RNG) for question in QUESTIONS]
    assert decisions[0] == Decision(
        Action.STOP, StopReason.POLICY, expected=Expectation(confidence=0.875, score=0.125)
    )
    assert decisions[1] == Decision(
        Action.RETRIEVE, top_k=1, expected=Expectation(confidence=0.75, score=0.25)
    )
    assert [decision.top_k for decision in decisions[2:]] == [5, 5]


def test_a_retrieval_that_costs_more_than_an_answer_is_never_made() -> None:
    assert graded(context(1.5)).grades == Grades(few=math.inf, full=math.inf)


def test_lines_say_where_one_passage_pays_and_where_five_beat_it() -> None:
    # Of ten questions at each score s right: 1 - s without, 0.6 with one passage, s with five.
    right = [(k / 10, n < 10 - k, n < 6, n < k) for k in range(11) for n in range(10)]

    found = grades_by_line(*zip(*right, strict=True), price=0.1)

    assert (found.few, found.full) == (pytest.approx(0.5), pytest.approx(0.6))


def test_thresholds_are_those_of_lines() -> None:
    scores = [0.125, 0.25, 0.375, 0.5]
    columns = [[q.outcomes[plan] for q in QUESTIONS] for plan in ("none", *SIZED)]
    assert graded(context()).grades == grades_by_line(scores, *columns, price=0.1)


def test_where_one_passage_does_as_well_it_reads_no_more() -> None:
    alike = [tried(0.5, none=False, one=True, five=True)] * 3
    calibration = recorded_calibration([*alike, tried(0.9, none=True, one=True, five=True)])
    found = graded(replace(context(), calibration=calibration)).grades
    assert 0.1 < found.few < 0.5
    assert found.full == math.inf


def test_within_a_budget_accuracy_decides_how_much_to_read() -> None:
    # floor(0.8 * 4) = 3 retrieve, whatever that costs.
    assert graded(context(1.5, gate_budget=0.8)).grades == Grades(few=0.25, full=0.375)
    assert graded(context(1.5, gate_budget=0.5)).grades == Grades(few=0.375, full=0.375)
    assert graded(context(1.5, gate_budget=0.1)).grades == Grades(few=math.inf, full=math.inf)


def test_questions_that_were_not_tried_count_for_the_budget_alone() -> None:
    tried_ones = [tried(0.5, none=False, one=False, five=True)] * 2
    others = [seen_question({}, probabilities=(0.875, 0.125))] * 2
    half = replace(
        context(gate_budget=0.5), calibration=recorded_calibration([*tried_ones, *others])
    )
    assert graded(half).grades == Grades(few=0.5, full=0.5)


def test_stops_after_its_retrieval_without_looking_again() -> None:
    policy = Graded(CALIBRATION, Grades(0.25, 0.375))
    state = replace(QUESTIONS[3].state(), steps=(STEP,))
    assert policy.required_probes(state) == set()
    assert policy.decide(State(state.question, steps=(STEP,)), RNG) == Decision(
        Action.STOP, StopReason.POLICY
    )


def test_abstains_from_an_answer_that_is_still_unsure() -> None:
    policy = Graded(CALIBRATION, Grades(0.25, 0.375), abstain_below=0.6)
    state = replace(QUESTIONS[3].state(), steps=(STEP,))
    assert policy.required_probes(state) == {Probe.ANSWER, Probe.VECTOR}
    assert policy.decide(state, RNG) == Decision(
        Action.STOP, StopReason.ABSTAIN, expected=Expectation(confidence=0.5)
    )


def test_gives_the_answer_that_retrieval_made_sure() -> None:
    policy = Graded(CALIBRATION, Grades(0.25, 0.375), abstain_below=0.6)
    state = replace(QUESTIONS[0].state(), steps=(STEP,))
    assert policy.decide(state, RNG).stop_reason is StopReason.POLICY


def test_does_not_abstain_before_it_has_retrieved_what_it_would() -> None:
    policy = Graded(CALIBRATION, Grades(0.25, 0.375), abstain_below=0.6)
    assert policy.decide(QUESTIONS[3].state(), RNG).action is Action.RETRIEVE


def test_abstains_at_once_where_no_retrieval_pays() -> None:
    policy = Graded(CALIBRATION, Grades(math.inf, math.inf), abstain_below=0.6)
    assert policy.decide(QUESTIONS[3].state(), RNG).stop_reason is StopReason.ABSTAIN


def test_outcomes_that_no_question_has_are_named() -> None:
    without = recorded_calibration([seen_question({"none": True}, probabilities=(0.9, 0.1))])
    with pytest.raises(ConfigError, match="none, retrieve_1, retrieve_5"):
        graded(replace(context(), calibration=without))


def test_five_passages_from_a_lower_score_than_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"few=0\.5 must not exceed full=0\.2"):
        Grades(0.5, 0.2)
