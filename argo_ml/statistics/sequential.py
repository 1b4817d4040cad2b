"""When questions asked one after the other have told a difference from 0, or that it is small."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from argo_ml.statistics.betting import BettingEvidence, crossing, log_evidence
from argo_ml.statistics.columns import Column
from argo_ml.statistics.intervals import Interval

LEVEL = 0.05
"""Chance at most, over all differences that are told and all looks, that any is told wrongly."""
MARGIN = 0.01
"""Differences smaller than this are as good as none."""


class Sign(Enum):
    """What is known of a difference."""

    ABOVE = "above"
    BELOW = "below"
    SMALL = "small"
    """Nearer to 0 than the margin."""
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest value that a difference can take on a question."""

    low: float
    high: float


class SequentialDifference:
    """A difference from the best of several baselines, told by bets (`argo_ml.statistics.betting`).

    Values have a column for every baseline. The best baseline is the one that the difference is
    smallest from: to be above it, the bets on all columns must have paid; to be below it, the
    capital may be shared among the columns. ``n_families`` is the number of differences that are
    told together, each at its part of `LEVEL` (Bonferroni). ``sign`` stays what it was told first,
    after ``n_needed`` values.
    """

    def __init__(self, span: Range, n_families: int = 1, margin: float = MARGIN) -> None:
        self._span = span
        self._threshold = math.log(2.0 * n_families / LEVEL)
        self._above = {mean: BettingEvidence(mean, span.low) for mean in (0.0, -margin)}
        self._below = {mean: BettingEvidence(mean, span.high, True) for mean in (0.0, margin)}
        self._margin = margin
        self._seen: list[Column] = []
        self.sign = Sign.OPEN
        self.n_needed: int | None = None

    def add(self, values: Column) -> None:
        """Take the values of further questions, one row each."""
        rows = np.atleast_2d(values.T).T
        for bets in (*self._above.values(), *self._below.values()):
            bets.add(rows)
        self._seen.append(rows)
        if self.sign is Sign.OPEN:
            self.sign = self._told()
            self.n_needed = None if self.sign is Sign.OPEN else sum(map(len, self._seen))

    def _told(self) -> Sign:
        is_above = {mean: bets.logs.min() for mean, bets in self._above.items()}
        is_below = {mean: _shared(bets.logs) for mean, bets in self._below.items()}
        if is_above[0.0] >= self._threshold:
            return Sign.ABOVE
        if is_below[0.0] >= self._threshold:
            return Sign.BELOW
        is_small = min(is_above[-self._margin], is_below[self._margin]) >= self._threshold
        return Sign.SMALL if is_small else Sign.OPEN

    @property
    def mean(self) -> float:
        """Of the difference from the baseline that it is smallest from."""
        return float(np.concatenate(self._seen).mean(axis=0).min())

    @property
    def interval(self) -> Interval:
        """What the bets do not refute; it holds for all families at all looks together."""
        values, span, middle = np.concatenate(self._seen), self._span, self.mean

        def above(mean: float) -> float:
            return float(log_evidence(values, mean, span.low).min())

        def below(mean: float) -> float:
            return _shared(log_evidence(values, mean, span.high, is_below=True))

        return Interval(
            crossing(above, self._threshold, middle, span.low),
            crossing(below, self._threshold, middle, span.high),
        )


def _shared(logs: Column) -> float:
    """The logarithm of the mean of capitals, given by their logarithms."""
    return float(np.logaddexp.reduce(logs) - math.log(logs.size))
