"""Trials of what advantages are learned from, on a calibration whose second step alone pays."""

from __future__ import annotations

import random

import pytest
from builders.explored_nodes import calibration, node

from argo_ml.calibration import Node
from benchmarks import targets


def helped_by_a_second_retrieval(n_questions: int = 100) -> list[Node]:
    """One retrieval changes nothing; two make those questions right whose feature is high."""
    draws, made = random.Random(1), []
    for number in range(n_questions):
        feature = float(draws.random() < 0.5)
        made += [node(number, letters, False, feature) for letters in ("", "r")]
        made += [node(number, "rr", feature > 0, feature)]
    return made


def test_looking_two_steps_ahead_is_told_from_looking_one() -> None:
    rows = list(targets.rows(calibration(helped_by_a_second_retrieval())))

    assert [(row["learner"], row["steps ahead"]) for row in rows] == [
        ("forest", 1),
        ("forest", 2),
        ("ridge", 1),
        ("ridge", 2),
    ]
    for near, far in (rows[:2], rows[2:]):
        assert {near["targets"], far["targets"]} == {"0 and 1"}
        assert near["beside one step ahead"] == 0.0
        # Half of the questions are spared two retrievals, at a mean of ten prices from 0.02 to 0.2.
        assert far["gain (points)"] == pytest.approx(11, abs=1.5)
        beside = far["gain (points)"] - near["gain (points)"]
        assert far["beside one step ahead"] == pytest.approx(beside)
