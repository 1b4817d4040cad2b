import random

import pytest

from argo_ml.calibration.node import Node
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.gates.max_prob_gate import max_prob_gate
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Action, Expectation

SURE = seen_question({"none": True, "retrieve": True}, probabilities=(0.75, 0.25))
UNSURE = seen_question({"none": False, "retrieve": True}, probabilities=(0.5, 0.5))
CHEAP = solve(MDPSpec(retrieval_cost=0.1))


def test_score_is_the_probability_that_the_answer_is_wrong() -> None:
    gate = max_prob_gate(PolicyContext(CHEAP, calibration=recorded_calibration([SURE, UNSURE])))
    assert gate.required_probes(UNSURE.state()) == {Probe.ANSWER, Probe.VECTOR}
    assert gate.signal.read(SURE.state()).score == 0.25
    decision = gate.decide(UNSURE.state(), random.Random(0))
    assert decision == Decision(Action.RETRIEVE, expected=Expectation(confidence=0.5, score=0.5))


def test_threshold_is_of_the_confidence_out_of_fold() -> None:
    nodes = [
        Node(question=index, actions=(), features=(), correct=True, confidence=confidence)
        for index, confidence in enumerate((0.9, 0.3))
    ]
    calibration = recorded_calibration([SURE, UNSURE], nodes)
    # A tenth of the way from 1 - 0.9, where retrieving adds nothing, to 1 - 0.3, where it helps.
    gate = max_prob_gate(PolicyContext(CHEAP, calibration=calibration))
    assert gate.threshold == pytest.approx(0.1 + 0.1 * 0.6)


def test_answer_that_was_not_looked_at_is_refused() -> None:
    gate = max_prob_gate(PolicyContext(CHEAP, calibration=recorded_calibration([SURE, UNSURE])))
    with pytest.raises(ValueError, match="the answer was not looked at"):
        gate.signal.read(State(SURE.state().question))
