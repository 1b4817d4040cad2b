"""Progress U: how an action moves it, and the values it can take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from argo_ml.types import Action

DIGITS = 12
"""Decimal digits of u_max to which progress is kept."""
MAX_STATES = 10_001
"""Most values of progress: enough for every pair of gains that has four digits of u_max."""


@dataclass(frozen=True, slots=True)
class FixedGains:
    """A successful retrieval adds ``delta_r``, a reasoning step ``delta_p``, up to ``u_max``.

    Progress is kept to 12 digits, so that it depends on how many steps of each kind were taken
    and not on their order. The solver's states come from here too, and compare equal.
    """

    delta_r: float
    delta_p: float
    u_max: float

    def __post_init__(self) -> None:
        smallest = self.u_max / (MAX_STATES - 1)
        for name in ("delta_r", "delta_p"):
            value = getattr(self, name)
            if not value >= smallest * (1 - 1e-9):
                raise ValueError(
                    f"{name}={value} must be at least {smallest:g} for u_max={self.u_max}"
                )

    def advance(self, progress: float, action: Action, succeeded: bool) -> float:
        if not succeeded:
            return progress
        gain = {Action.RETRIEVE: self.delta_r, Action.REASON: self.delta_p}[action]
        digits = self._decimals(DIGITS)
        total = round(progress + round(gain, digits), digits)
        # Three steps of 1/3 are to reach 1, although 12 digits of 1/3 fall short of it.
        return self.u_max if total >= self.u_max * (1 - 1e-9) else total

    def coarser(self) -> FixedGains:
        """The gains to four digits, which never have too many states."""
        digits = self._decimals(4)
        return FixedGains(round(self.delta_r, digits), round(self.delta_p, digits), self.u_max)

    def _decimals(self, digits: int) -> int:
        return digits - math.ceil(math.log10(self.u_max))


@dataclass(frozen=True, slots=True)
class Successors:
    """Progress after a success of each action."""

    retrieve: float
    reason: float


@lru_cache(maxsize=64)
def transitions(gains: FixedGains) -> Mapping[float, Successors]:
    """The successors of every progress reachable from 0, ascending; the last is u_max.

    Raises:
        ValueError: more than `MAX_STATES`, which takes two small gains of five or more digits.
    """
    successors: dict[float, Successors] = {}
    waiting = [0.0]
    while waiting:
        progress = waiting.pop()
        if progress in successors:
            continue
        after = Successors(
            retrieve=gains.advance(progress, Action.RETRIEVE, succeeded=True),
            reason=gains.advance(progress, Action.REASON, succeeded=True),
        )
        successors[progress] = after
        waiting += (after.retrieve, after.reason)
        if len(successors) > MAX_STATES:
            near = gains.coarser()
            raise ValueError(
                f"delta_r={gains.delta_r}, delta_p={gains.delta_p}: more than {MAX_STATES} states "
                f"up to u_max={gains.u_max}; delta_r={near.delta_r}, delta_p={near.delta_p} works"
            )
    return MappingProxyType({progress: successors[progress] for progress in sorted(successors)})
