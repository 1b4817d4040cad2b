import math
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest

from argo_ml.calibration.node import Node
from argo_ml.calibration.record import CalibrationQuestion
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.gates.base import (
    Gate,
    SignalReading,
    choose_threshold,
    extra_probes,
    make_gate,
    root_confidences,
)
from argo_ml.policies.parameters import GateParameters
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Action, Expectation, Question, Step, StopReason

RNG = random.Random(0)
QUESTION = Question(id="q", text="What is asked?")
RETRIEVED = Step("sub-question", Action.RETRIEVE, "sub-answer", 0.25, cost=0.1)


@dataclass(frozen=True)
class Words:
    """Scores a question by the number of its words."""

    look: Probe = Probe.DRAFT

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return frozenset({self.look})

    def read(self, state: State) -> SignalReading:
        n_words = len(state.question.text.split())
        return SignalReading(float(n_words), confidence=0.4, gain=0.1)


def question(n_words: int, none: bool, retrieve: bool) -> CalibrationQuestion:
    return seen_question({"none": none, "retrieve": retrieve}, text="word " * n_words)


# Retrieval helps questions of 4 and 3 words, and harms that of 1.
QUESTIONS = (
    question(4, none=False, retrieve=True),
    question(3, none=False, retrieve=True),
    question(2, none=True, retrieve=True),
    question(1, none=True, retrieve=False),
)


def context(price: float = 0.1, **settings: Any) -> PolicyContext:
    solution, calibration = solve(MDPSpec(retrieval_cost=price)), recorded_calibration(QUESTIONS)
    return PolicyContext(solution, GateParameters(**settings), calibration=calibration)


def test_retrieves_from_the_threshold_on_and_says_what_it_expects() -> None:
    decision = Gate(Words(), 3.0, price=0.04).decide(State(QUESTION), RNG)
    expected = Expectation(confidence=0.4, gain=0.1 - 0.04, score=3.0)
    assert decision == Decision(Action.RETRIEVE, expected=expected)


def test_answers_below_the_threshold_and_says_what_it_expects() -> None:
    decision = Gate(Words(), 3.1, price=0.04).decide(State(QUESTION), RNG)
    expected = Expectation(confidence=0.4, gain=0.0, score=3.0)
    assert decision == Decision(Action.STOP, StopReason.POLICY, expected=expected)


def test_stops_after_its_retrieval_without_looking_again() -> None:
    gate, state = Gate(Words(), -math.inf), State(QUESTION, steps=(RETRIEVED,))
    assert gate.required_probes(State(QUESTION)) == {Probe.DRAFT}
    assert gate.required_probes(state) == set()
    assert gate.decide(state, RNG) == Decision(Action.STOP, StopReason.POLICY)


def test_threshold_is_where_the_line_of_benefits_reaches_the_price() -> None:
    # Benefits 1, 1, 0, -1 at scores 4, 3, 2, 1: the line is 0.25 + 0.7 (score - 2.5).
    assert make_gate(context(0.1), Words()).threshold == pytest.approx(2.5 - 0.15 / 0.7)


def test_no_retrieval_pays_where_its_price_exceeds_an_answer() -> None:
    assert make_gate(context(1.5), Words()).threshold == math.inf


def test_threshold_keeps_the_budget_whatever_the_price() -> None:
    # floor(0.6 * 4) = 2 questions.
    for price in (0.1, 1.5):
        assert make_gate(context(price, gate_budget=0.6), Words()).threshold == 3.0


def test_scores_of_models_that_have_not_seen_the_questions_take_the_place_of_its_own() -> None:
    assert make_gate(context(0.1), Words(), [0.9, 0.7, 0.3, 0.1]).threshold == pytest.approx(
        0.5 - 0.15 / 2.5
    )


def test_an_answer_that_was_looked_at_costs_where_the_gate_retrieves() -> None:
    probing = replace(context(0.7), probe_cost=0.4)
    assert extra_probes(probing, Words(Probe.ANSWER)) == 0.4
    assert make_gate(probing, Words(Probe.ANSWER)).threshold == math.inf
    assert extra_probes(probing, Words(Probe.DRAFT)) == 0.0
    assert make_gate(probing, Words(Probe.DRAFT)).threshold == pytest.approx(2.5 + 0.45 / 0.7)


def test_a_gate_that_promises_an_error_rate_looks_at_every_answer() -> None:
    probing = replace(context(0.3, guarantee="error among answered <= 0.9"), probe_cost=0.4)
    assert extra_probes(probing, Words(Probe.DRAFT)) == 0.4
    spared = replace(context(0.3, guarantee="share of retrievals <= 0.9"), probe_cost=0.4)
    assert extra_probes(spared, Words(Probe.DRAFT)) == 0.0


def test_questions_without_the_outcomes_are_left_out() -> None:
    calibration = recorded_calibration([*QUESTIONS, seen_question({"none": True})])
    only = replace(context(0.1), calibration=calibration)
    chosen = choose_threshold(only, [4.0, 3.0, 2.0, 1.0, 9.0])
    assert chosen == choose_threshold(context(0.1), [4.0, 3.0, 2.0, 1.0])


def test_outcomes_that_no_question_has_are_named() -> None:
    without = replace(context(), calibration=recorded_calibration([seen_question({"none": True})]))
    with pytest.raises(ConfigError, match="no question has the outcomes of none, retrieve"):
        make_gate(without, Words())


def test_confidence_before_any_step_is_out_of_fold_where_it_is_on_record() -> None:
    seen = [
        seen_question({}, probabilities=(0.7, 0.3)),
        seen_question({}, probabilities=(1.0, 0.0)),
    ]
    nodes = [
        Node(question=1, actions=(), features=(), correct=True, confidence=0.6),
        Node(question=1, actions=("retrieve",), features=(), correct=True, confidence=0.9),
    ]
    assert root_confidences(recorded_calibration(seen, nodes)) == [0.7, 0.6]
