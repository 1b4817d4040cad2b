"""The part that a strategy plays in an evaluation; one of another argo_ml plays none."""

from __future__ import annotations

from argo_ml.policies import STRATEGIES
from argo_ml.policies.description import Role


def is_fixed(strategy: str) -> bool:
    """Whether it treats all questions alike."""
    return strategy in STRATEGIES and STRATEGIES[strategy].treats_alike


def is_ceiling(strategy: str) -> bool:
    """Whether it knows the gold answers, so that it is compared with nothing."""
    return strategy in STRATEGIES and STRATEGIES[strategy].is_ceiling


def is_gate(strategy: str) -> bool:
    """Whether it decides once whether to retrieve."""
    return strategy in STRATEGIES and STRATEGIES[strategy].is_gate


def is_calibrated(strategy: str) -> bool:
    """Whether it acts by a calibration, and so by the question."""
    return strategy in STRATEGIES and STRATEGIES[strategy].calibrated


def reports_p_hat(strategy: str) -> bool:
    """Whether its decisions tell p-hat of the answer so far."""
    return strategy in STRATEGIES and STRATEGIES[strategy].reports_p_hat


def contenders_of(role: Role) -> tuple[str, ...]:
    """The strategies of a role that the headline asks about, in the order of their table."""
    return tuple(
        name for name, kind in STRATEGIES.items() if kind.is_contender and kind.role is role
    )
