"""The part that a strategy plays in an evaluation, as its description has it.

Stored results may name strategies of a package that is not installed here. They keep their rows and
play no part, which the log says once.
"""

from __future__ import annotations

import logging
from functools import cache

from argo_ml.policies import ALL_STRATEGIES
from argo_ml.policies.description import Role, Strategy

logger = logging.getLogger(__name__)


def is_fixed(strategy: str) -> bool:
    """Whether it treats all questions alike."""
    description = _description(strategy)
    return description is not None and description.treats_alike


def is_ceiling(strategy: str) -> bool:
    """Whether it knows the gold answers, so that it is compared with nothing."""
    description = _description(strategy)
    return description is not None and description.is_ceiling


def is_gate(strategy: str) -> bool:
    """Whether it decides once whether to retrieve."""
    description = _description(strategy)
    return description is not None and description.is_gate


def is_calibrated(strategy: str) -> bool:
    """Whether it acts by a calibration, and so by the question."""
    description = _description(strategy)
    return description is not None and description.calibrated


def gained_nowhere(strategy: str) -> bool:
    """Whether it is kept to be compared with: wherever it was measured it gained nothing."""
    description = _description(strategy)
    return description is not None and description.gained_nowhere


def reports_p_hat(strategy: str) -> bool:
    """Whether its decisions tell p-hat of the answer so far, before every step."""
    description = _description(strategy)
    return description is not None and description.reports_p_hat


def stopping_at_theta_star() -> tuple[str, ...]:
    """The strategies that stop once progress reaches ARGO's theta_star at the price."""
    strategies = ALL_STRATEGIES.usable()
    return tuple(name for name, strategy in strategies.items() if strategy.stops_at_theta_star)


def is_argo(strategy: str) -> bool:
    """Whether it is ARGO at the cell's price: by the decision process or by a calibration."""
    description = _description(strategy)
    return (
        description is not None
        and description.role in (Role.ORIGINAL, Role.ADAPTIVE)
        and description.by_price
    )


def contenders_of(role: Role) -> tuple[str, ...]:
    """The strategies of a role that the headline asks about, in the order of their table."""
    strategies = ALL_STRATEGIES.usable()
    return tuple(
        name for name, strategy in strategies.items() if strategy.contends and strategy.role is role
    )


def _description(strategy: str) -> Strategy | None:
    if strategy not in ALL_STRATEGIES:
        _warn_of_unknown(strategy)
        return None
    return ALL_STRATEGIES[strategy]


@cache
def _warn_of_unknown(strategy: str) -> None:
    logger.warning(
        "strategy %s is not installed here: it counts neither as fixed nor as a gate, a ceiling or "
        "a contender",
        strategy,
    )
