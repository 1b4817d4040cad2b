from __future__ import annotations

import numpy as np
import pytest

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.gains import estimate_gains
from argo_ml.calibration.node import Node


def node(
    question: int, actions: str, correct: bool, succeeded: bool = True, confidence: float = 0.5
) -> Node:
    names = tuple({"r": "retrieve", "p": "reason"}[letter] for letter in actions)
    return Node(
        question=question,
        actions=names,
        features=(),
        correct=correct,
        succeeded=succeeded,
        confidence=confidence,
    )


NODES = (
    node(0, "", False),
    node(0, "r", True),
    node(0, "rr", True),
    node(0, "p", False),
    node(1, "", True),
    node(1, "r", False, succeeded=False),
    node(1, "p", False),
)


def test_gains_are_means_over_questions_of_means_over_their_steps() -> None:
    gains = estimate_gains(Exploration(NODES))
    # Question 0 gains 1 and 0; the failed retrieval of question 1 is none that succeeded.
    assert gains["delta_r"].mean == pytest.approx(0.5)
    assert gains["delta_p"].mean == pytest.approx((0.0 - 1.0) / 2)
    assert gains["p_s"].mean == pytest.approx((1.0 + 0.0) / 2)
    assert [gains[name].n for name in ("delta_r", "delta_p", "p_s")] == [2, 2, 3]


def test_intervals_hold_the_mean() -> None:
    gain = estimate_gains(Exploration(NODES))["delta_p"]
    assert gain.low <= gain.mean <= gain.high


def test_what_was_never_done_has_no_gain() -> None:
    assert estimate_gains(Exploration((node(0, "", True),)))["delta_r"].n == 0


def test_a_retrieval_that_never_changed_an_answer_has_an_interval_with_a_width() -> None:
    nodes = [node(index, actions, True) for index in range(12) for actions in ("", "r")]

    gain = estimate_gains(Exploration.of(nodes))["delta_r"]

    assert gain.mean == 0.0
    assert gain.low < -0.05 and gain.high > 0.05


def explored(generator: np.random.Generator, n_questions: int) -> Exploration:
    """Retrieval corrects 15 % of the answers and spoils 8.3 %, while p-hat falls by 0.06."""
    nodes = []
    for index in range(n_questions):
        before, draw = generator.random() < 0.4, generator.random()
        after = draw >= 0.083 / 0.4 if before else draw < 0.15 / 0.6
        nodes += [
            node(index, "", bool(before), confidence=0.46),
            node(index, "r", bool(after), confidence=0.40),
        ]
    return Exploration.of(nodes)


@pytest.mark.parametrize("n_questions", [24, 150])
def test_interval_holds_the_true_gain_as_often_as_it_says(n_questions: int) -> None:
    generator = np.random.default_rng(5)
    gains = [estimate_gains(explored(generator, n_questions))["delta_r"] for _ in range(500)]

    assert np.mean([gain.mean for gain in gains]) == pytest.approx(0.067, abs=0.01)
    assert np.mean([gain.low <= 0.067 <= gain.high for gain in gains]) >= 0.93
