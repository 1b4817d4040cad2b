import random

import pytest

from argo_ml.calibration.record import CalibrationQuestion
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Probe
from argo_ml.policies.gates.benefit_gate import benefit_gate, expected_utility, utility
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Action

SOLUTION = solve(MDPSpec(retrieval_cost=0.1))


def question(confidence: float, none: bool, retrieve: bool) -> CalibrationQuestion:
    probabilities = (confidence, 1.0 - confidence)
    return seen_question({"none": none, "retrieve": retrieve}, probabilities=probabilities)


def test_utility_is_correct_with_retrieval_minus_correct_without() -> None:
    pairs = [(False, True), (True, True), (False, False), (True, False)]
    assert [utility(question(0.6, *pair)) for pair in pairs] == [1, 0, 0, -1]
    assert utility(seen_question({"retrieve": True})) is None


def test_expected_utility_is_the_difference_of_helping_and_harming() -> None:
    assert expected_utility({-1: 0.2, 0: 0.3, 1: 0.5}) == pytest.approx(0.3)
    assert expected_utility({0: 1.0}) == 0.0


def test_retrieves_where_it_has_learned_that_retrieval_helps() -> None:
    helped = [question(0.5 + 0.01 * n, none=False, retrieve=True) for n in range(10)]
    harmed = [question(0.9 + 0.005 * n, none=True, retrieve=False) for n in range(10)]
    calibration = recorded_calibration([*helped, *harmed])
    gate = benefit_gate(PolicyContext(SOLUTION, calibration=calibration))
    assert gate.required_probes(helped[0].state()) == {Probe.ANSWER, Probe.VECTOR}
    for each, action in [*((each, Action.RETRIEVE) for each in helped), (harmed[9], Action.STOP)]:
        decision = gate.decide(each.state(), random.Random(0))
        assert decision.action is action
        assert decision.expected.score == gate.signal.read(each.state()).score
        paid = (
            SOLUTION.spec.retrieval_cost if action is Action.RETRIEVE else decision.expected.score
        )
        assert decision.expected.gain == pytest.approx(decision.expected.score - paid)
        assert decision.expected.confidence == max(each.answer.probabilities)


def test_too_few_labels_give_every_question_the_mean_benefit() -> None:
    helped = [question(0.5, none=False, retrieve=True)] * 6
    others = [question(0.9, none=True, retrieve=True)] * 3
    harmed = [question(0.9, none=True, retrieve=False)]
    calibration = recorded_calibration([*helped, *others, *harmed])
    gate = benefit_gate(PolicyContext(SOLUTION, calibration=calibration))
    assert gate.signal.read(helped[0].state()).score == pytest.approx(0.5)
    assert gate.signal.read(harmed[0].state()).score == pytest.approx(0.5)
