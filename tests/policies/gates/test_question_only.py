import math
import random

import pytest

from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Probe, State
from argo_ml.policies.gates.question_only import question_only
from argo_ml.policies.gates.questions import QUESTION_FEATURES, question_features
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Action, Question

SOLUTION = solve(MDPSpec(retrieval_cost=0.1))


def features_of(text: str, choices: tuple[str, ...] = ()) -> dict[str, float]:
    values = question_features(Question(id="q", text=text, choices=choices))
    return dict(zip(QUESTION_FEATURES, values, strict=True))


def test_features_are_read_from_the_words() -> None:
    found = features_of("Which cell and slice did Nokia add in 2021?", ("one", "two of them"))
    assert found["words"] == pytest.approx(math.log(10))
    assert found["word_length"] == pytest.approx(34 / 9)
    assert found["numbers"] == pytest.approx(1 / 9)
    assert found["names"] == pytest.approx(1 / 8)
    assert found["joining"] == pytest.approx(1 / 9)
    assert (found["choices"], found["choice_words"]) == (2.0, 2.0)
    kinds = {name for name, value in found.items() if name.startswith("asks_") and value}
    assert kinds == {"asks_which"}


def test_a_question_without_words_has_features_too() -> None:
    assert set(features_of("?").values()) == {0.0}


def test_needs_no_call_of_the_model() -> None:
    easy = [seen_question({"none": True, "retrieve": True}, text=f"Is it {n}?") for n in range(10)]
    hard = [
        seen_question({"none": False, "retrieve": True}, text=f"Why and how did the thing {n} go?")
        for n in range(10)
    ]
    gate = question_only(PolicyContext(SOLUTION, calibration=recorded_calibration([*easy, *hard])))
    assert gate.required_probes(easy[0].state()) == {Probe.VECTOR}
    for question, action in ((easy[0], Action.STOP), (hard[0], Action.RETRIEVE)):
        alone = State(question.state().question)
        assert gate.decide(alone, random.Random(0)).action is action


def test_too_few_labels_give_every_question_the_share_of_wrong_answers() -> None:
    questions = [
        seen_question({"none": n > 2, "retrieve": True}, text=f"Why {n}?") for n in range(10)
    ]
    gate = question_only(PolicyContext(SOLUTION, calibration=recorded_calibration(questions)))
    assert [gate.signal.read(question.state()).score for question in questions] == pytest.approx(
        [0.3] * 10
    )
