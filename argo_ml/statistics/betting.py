"""Evidence about a mean of bounded values that stays valid however often it is looked at.

A gambler bets that the mean lies above ``mean``, the share ``theta`` of the capital on every value:
the capital is multiplied by 1 + theta * (value - mean) / (mean - low). If the mean is at most
``mean``, no such game is expected to gain, so that by Ville's inequality the capital ever reaches
1 / alpha with a chance of at most alpha, whenever one stops (Waudby-Smith and Ramdas 2023,
"Estimating means of bounded random variables by betting", sections 4.1 and B.3). The capital is
shared equally between several ``theta`` (their «diversified» betting), so that neither the spread
nor the size of the mean need be known. It does not depend on the order of the values.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from argo_ml.statistics.columns import Column
from argo_ml.statistics.intervals import Interval

STAKES = 0.99 * 0.7 ** np.arange(18)
"""The shares of the capital that are bet, from nearly all to 0.2 %."""
_BISECTIONS = 40
_EQUAL = 1e-12
"""Difference of a mean of equal values from these."""


class BettingEvidence:
    """The logarithm of the capital of bets that a mean lies above ``mean``.

    With ``is_below`` they are that it lies below. Values must be at least ``bound``, or at most
    ``bound`` where they are to be below. Columns of values are games of their own.
    """

    def __init__(self, mean: float, bound: float, is_below: bool = False) -> None:
        sign = -1.0 if is_below else 1.0
        if not sign * (mean - bound) > 0.0:
            side = "below" if is_below else "above"
            raise ValueError(f"mean={mean}: must lie {side} the bound {bound} of the values")
        self._mean, self._scale = mean, abs(mean - bound) * sign
        self._logs: Column = np.zeros((STAKES.size, 1))

    def add(self, values: Column) -> None:
        """Play on with further values, in rows; every column is a game of its own."""
        returns = (np.atleast_2d(values.T).T - self._mean) / self._scale
        if (returns < -1.0 - 1e-9).any():
            raise ValueError("a value lies beyond the bound that was given")
        gained = np.log1p(STAKES[:, None, None] * np.maximum(returns, -1.0))
        self._logs = self._logs + gained.sum(axis=1)

    @property
    def logs(self) -> Column:
        """By column."""
        total: Column = np.logaddexp.reduce(self._logs, axis=0) - np.log(STAKES.size)
        return total


def log_evidence(values: Column, mean: float, bound: float, is_below: bool = False) -> Column:
    """What `BettingEvidence` of all values says, by column."""
    evidence = BettingEvidence(mean, bound, is_below)
    evidence.add(values)
    return evidence.logs


def crossing(evidence: Callable[[float], float], level: float, inside: float, end: float) -> float:
    """The mean nearest to ``inside`` at which evidence, rising towards ``end``, reaches ``level``.

    ``end`` where it does nowhere, and where ``inside`` is ``end`` but for a rounding: there are no
    bets on a mean at the bound itself.
    """
    if math.isclose(inside, end, rel_tol=_EQUAL, abs_tol=_EQUAL):
        return end
    for _ in range(_BISECTIONS):
        middle = (inside + end) / 2
        if middle in (inside, end):
            return end
        if evidence(middle) < level:
            inside = middle
        else:
            end = middle
    return end


def betting_interval(values: Column, low: float, high: float, alpha: float) -> Interval:
    """The means that two-sided bets do not refute at level ``alpha``, whenever one stops.

    Values lie between ``low`` and ``high``. Intervals of growing numbers of values hold the mean
    all at once with probability 1 - ``alpha``.
    """
    level, middle = float(np.log(2.0 / alpha)), float(values.mean())

    def above(mean: float) -> float:
        return float(log_evidence(values, mean, low)[0])

    def below(mean: float) -> float:
        return float(log_evidence(values, mean, high, is_below=True)[0])

    return Interval(crossing(above, level, middle, low), crossing(below, level, middle, high))
