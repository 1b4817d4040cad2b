"""The part that a strategy plays in an evaluation; one of another argo_ml plays none."""

from __future__ import annotations

from argo_ml.policies import STRATEGIES


def is_fixed(strategy: str) -> bool:
    """Whether it treats all questions alike."""
    return strategy in STRATEGIES and STRATEGIES[strategy].is_fixed


def is_ceiling(strategy: str) -> bool:
    """Whether it knows the gold answers, so that it is compared with nothing."""
    return strategy in STRATEGIES and STRATEGIES[strategy].in_hindsight


def is_gate(strategy: str) -> bool:
    """Whether it decides once whether to retrieve."""
    return strategy in STRATEGIES and STRATEGIES[strategy].is_gate


def is_calibrated(strategy: str) -> bool:
    """Whether it acts by a calibration, and so by the question."""
    return strategy in STRATEGIES and STRATEGIES[strategy].calibrated
