"""A calibration of explored histories that a test has written down."""

from __future__ import annotations

from collections.abc import Sequence

from argo_ml.calibration import Calibration, LinearModel, Node, ProbabilityModel
from argo_ml.calibration.record import Projection

NAMES = {"r": "retrieve", "p": "reason"}


def node(question: int, letters: str, correct: bool, confidence: float = 0.5) -> Node:
    """Reached by actions such as ``rp``; p-hat is its one feature."""
    return Node(
        question=question,
        actions=tuple(NAMES[letter] for letter in letters),
        features=(confidence,),
        correct=correct,
        confidence=confidence,
    )


def calibration(nodes: Sequence[Node]) -> Calibration:
    linear = LinearModel(means=(0.0,), scales=(1.0,), weights=(1.0,), intercept=0.0)
    probability = ProbabilityModel(linear=linear, mapped_by="platt", base_rate=0.5, brier={})
    return Calibration(
        spec={},
        digests={},
        horizon=2,
        feature_names=("confidence",),
        projection=Projection(),
        probability=probability,
        gains={},
        questions=(),
        nodes=tuple(nodes),
    )
