import random
from dataclasses import replace

import pytest

from argo_ml.calibration.fitted_models import LinearModel
from argo_ml.calibration.record import CalibrationQuestion, Projection
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.gates.adaptive_rag import AdaptiveRag, Complexity, adaptive_rag, silver_label
from argo_ml.policies.gates.learned import ClassModel
from argo_ml.policies.gates.questions import QUESTION_FEATURES
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Action, Question, Step, StopReason

RNG = random.Random(0)
SOLUTION = solve(MDPSpec(retrieval_cost=0.1))
STATE = State(Question(id="q", text="What?"))
STEP = Step("sub-question", Action.RETRIEVE, "sub-answer", 0.25, cost=0.1)


def answered(none: bool, once: bool, multi: bool, difficulty: str = "easy") -> CalibrationQuestion:
    outcomes = {"none": none, "retrieve": once, "multi": multi}
    return seen_question(outcomes, difficulty=difficulty)


def always(complexity: Complexity, horizon: int = 3) -> AdaptiveRag:
    n = len(QUESTION_FEATURES)
    score = LinearModel(means=(0.0,) * n, scales=(1.0,) * n, weights=(0.0,) * n, intercept=0.0)
    return AdaptiveRag(Projection(), ClassModel((int(complexity),), (score,)), horizon)


def n_retrievals(policy: AdaptiveRag) -> int:
    state, n = STATE, 0
    while policy.decide(state, RNG).action is Action.RETRIEVE:
        n += 1
        state = replace(state, steps=(STEP,) * n)
    return n


@pytest.mark.parametrize(
    ("right", "label"),
    [
        ((True, True, True), Complexity.NONE),
        ((True, False, False), Complexity.NONE),
        ((False, True, True), Complexity.SINGLE),
        ((False, False, True), Complexity.MULTI),
        ((False, True, False), Complexity.SINGLE),
    ],
)
def test_label_is_the_simplest_way_that_is_right(
    right: tuple[bool, bool, bool], label: Complexity
) -> None:
    assert silver_label(answered(*right)) is label


def test_questions_that_no_way_answers_are_labelled_by_their_kind() -> None:
    labels = [
        silver_label(answered(False, False, False, difficulty))
        for difficulty in ("easy", "medium", "hard")
    ]
    assert labels == [Complexity.SINGLE, Complexity.SINGLE, Complexity.MULTI]


def test_a_way_that_was_not_tried_was_not_right() -> None:
    assert silver_label(seen_question({"none": False, "retrieve": False})) is Complexity.SINGLE


def test_retrieves_as_often_as_its_class_asks_for() -> None:
    counts = [n_retrievals(always(each)) for each in Complexity]
    assert counts == [0, 1, 3]
    assert always(Complexity.NONE).decide(STATE, RNG) == Decision(Action.STOP, StopReason.POLICY)


def test_looks_at_the_embedding_alone() -> None:
    assert always(Complexity.MULTI).required_probes(STATE) == {Probe.VECTOR}


def test_many_retrievals_are_those_that_were_explored() -> None:
    calibration = recorded_calibration([answered(False, False, True)] * 10, horizon=4)
    context = PolicyContext(SOLUTION, calibration=calibration)
    assert n_retrievals(adaptive_rag(context)) == 4
    assert n_retrievals(adaptive_rag(replace(context, max_steps=2))) == 2


def test_tells_the_classes_by_the_question() -> None:
    kinds = {
        "Is it {}?": (True, True, True),
        "Why does the long thing {} go?": (False, False, True),
    }
    questions = [
        seen_question(
            dict(zip(("none", "retrieve", "multi"), right, strict=True)), text=text.format(n)
        )
        for text, right in kinds.items()
        for n in range(10)
    ]
    calibration = recorded_calibration(questions, horizon=3)
    policy = adaptive_rag(PolicyContext(SOLUTION, calibration=calibration))
    found = [policy.complexity(question.state()) for question in questions]
    assert found == [Complexity.NONE] * 10 + [Complexity.MULTI] * 10
