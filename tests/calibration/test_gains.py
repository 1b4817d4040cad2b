from __future__ import annotations

import pytest

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.gains import estimate_gains
from argo_ml.calibration.node import Node


def node(question: int, actions: str, confidence: float, succeeded: bool = True) -> Node:
    names = tuple({"r": "retrieve", "p": "reason"}[letter] for letter in actions)
    return Node(
        question=question,
        actions=names,
        features=(),
        correct=True,
        succeeded=succeeded,
        confidence=confidence,
    )


NODES = (
    node(0, "", 0.2),
    node(0, "r", 0.6),
    node(0, "rr", 0.8),
    node(0, "p", 0.1),
    node(1, "", 0.5),
    node(1, "r", 0.5, succeeded=False),
    node(1, "p", 0.6),
)


def test_gains_are_means_over_questions_of_means_over_their_steps() -> None:
    gains = estimate_gains(Exploration(NODES))
    # Question 0 gains 0.4 and 0.2; the failed retrieval of question 1 is none that succeeded.
    assert gains["delta_r"].mean == pytest.approx(0.3)
    assert gains["delta_p"].mean == pytest.approx((-0.1 + 0.1) / 2)
    assert gains["p_s"].mean == pytest.approx((1.0 + 0.0) / 2)
    assert [gains[name].n for name in ("delta_r", "delta_p", "p_s")] == [2, 2, 3]


def test_intervals_hold_the_mean() -> None:
    gain = estimate_gains(Exploration(NODES))["delta_p"]
    assert gain.low <= gain.mean <= gain.high


def test_what_was_never_done_has_no_gain() -> None:
    assert estimate_gains(Exploration((node(0, "", 0.5),)))["delta_r"].n == 0
