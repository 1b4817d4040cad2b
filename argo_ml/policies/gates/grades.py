"""From how often each kind of retrieval was right to when `graded` is to use it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import itemgetter

from argo_ml.statistics.frontiers import threshold_by_line


@dataclass(frozen=True, slots=True)
class Grades:
    """One passage from a score of ``few`` on, five from ``full`` on; the score is 1 - p-hat.

    In the paper's terms tau_hi = 1 - few and tau_lo = 1 - full.
    """

    few: float
    full: float

    def __post_init__(self) -> None:
        if self.few > self.full:
            raise ValueError(f"few={self.few} must not exceed full={self.full}")


def grades_by_line(
    scores: Sequence[float],
    none: Sequence[bool],
    few: Sequence[bool],
    full: Sequence[bool],
    price: float,
) -> Grades:
    """Retrieving from where a line through scores and changes exceeds ``price``, by one passage or
    by five, and five passages from where their line exceeds that of one.

    Both sizes cost one retrieval. Thresholds that paid best follow the luckiest questions.
    """
    least = min(threshold_by_line(scores, none, own, price) for own in (few, full))
    return Grades(least, max(least, threshold_by_line(scores, few, full, 0.0)))


@dataclass(frozen=True, slots=True)
class Trials:
    """What five passages gain over one for the questions of the highest scores.

    ``scores`` are distinct and fall; ``full_gains`` are totals over the questions of the 0, 1, ...
    highest of them: how many more are right with five passages than with one.
    """

    scores: tuple[float, ...]
    full_gains: tuple[int, ...]

    @classmethod
    def of(cls, scores: Sequence[float], few: Sequence[bool], full: Sequence[bool]) -> Trials:
        rows = sorted(zip(scores, few, full, strict=True), reverse=True)
        ties = [(score, list(tie)) for score, tie in groupby(rows, itemgetter(0))]
        gains = (sum(full - few for _, few, full in tie) for _, tie in ties)
        return cls(tuple(score for score, _ in ties), tuple(accumulate(gains, initial=0)))

    def within(self, threshold: float) -> Grades:
        """Retrieving from ``threshold`` on, five passages where that is right most often.

        Of equally good ones the one that reads fewest passages.
        """
        n_few = sum(score >= threshold for score in self.scores)
        return Grades(threshold, max(threshold, self._threshold(self._n_full(n_few))))

    def _n_full(self, n_few: int) -> int:
        """How many of the ``n_few`` questions of the highest scores should read five passages."""
        gains = self.full_gains[: n_few + 1]
        return gains.index(max(gains))

    def _threshold(self, n: int) -> float:
        """The threshold that only the ``n`` highest scores reach; any score, where that is all."""
        if n == len(self.scores):
            return -math.inf
        return self.scores[n - 1] if n else math.inf
