"""The bootstrap over questions: of many columns at once, and of one mean.

Both draw the same questions, so that they give the same interval but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from argo_ml.statistics.columns import Column
from argo_ml.statistics.intervals import (
    CONFIDENCE,
    ROUNDING,
    Estimate,
    interval_sign,
    shows_spread,
    unseen_share,
)
from argo_ml.statistics.permutation import UNSEEN, sign_flip_p_value

N_RESAMPLES = 10_000
SEED = 20_260_101
"""Seed of the bootstrap's own generator: the same rows always give the same interval."""

_BATCH_ELEMENTS = 2_000_000
_TAILS = ((1.0 - CONFIDENCE) / 2, (1.0 + CONFIDENCE) / 2)


@dataclass(frozen=True, eq=False)
class Resampled:
    """One value per question, and its mean in each of ``N_RESAMPLES`` resamples of the questions.

    Columns resampled together share their resamples, so that a difference of theirs is paired.
    """

    values: Column
    means: Column

    def __sub__(self, other: Resampled) -> Resampled:
        return Resampled(self.values - other.values, self.means - other.means)

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @cached_property
    def estimate(self) -> Estimate:
        """The mean with its percentile interval (Efron and Tibshirani 1993, section 13.3).

        Values that are all equal, a single one included, give the interval of width zero that
        every resample would: it says that the sample shows no variation, not that the mean is
        certain.
        """
        if np.ptp(self.values) == 0.0:
            return Estimate(mean=self.mean, low=self.mean, high=self.mean)
        return _estimate(self.mean, self.means)

    @property
    def sign(self) -> int:
        """1 or -1 where a column of differences is told to lie above or below 0, else 0.

        Its interval and its `p_value` have to tell it both: small costs of every question, which
        the interval takes for all there is, may stand against answers that no question has shown
        yet. Where no question differs the other way, as many as can have escaped the sample
        (`unseen_share`) may lack a right answer each. An interval without width tells nothing.
        """
        own, sign = self.estimate, (self.mean > ROUNDING) - (self.mean < -ROUNDING)
        if shows_spread(own.low, own.high) and interval_sign(own.low, own.high) != sign:
            return 0
        is_one_sided = float((sign * self.values).min()) >= -ROUNDING
        if is_one_sided and abs(self.mean) <= unseen_share(len(self.values)) * UNSEEN:
            return 0
        return sign if self.p_value <= 1.0 - CONFIDENCE else 0

    @cached_property
    def p_value(self) -> float:
        """Two-sided p-value that a column of differences between -1 and 1 has mean 0, by
        `sign_flip_p_value`.

        It and the interval come from two ways of counting, so that near 0.05, and where answers
        that no question has shown yet may outweigh the differences, they may disagree.
        """
        return sign_flip_p_value(self.values)


def resample(columns: Sequence[Column]) -> list[Resampled]:
    """The bootstrap of several columns over the same questions in the same order.

    Raises ValueError for columns of no questions.
    """
    if not columns:
        return []
    matrix = np.column_stack(columns)
    n = len(matrix)
    if n == 0:
        raise ValueError("columns of no questions cannot be resampled")
    means = np.concatenate([counts @ matrix for counts in _counts(n)]) / n
    return [Resampled(column, means[:, index]) for index, column in enumerate(columns)]


def mean_estimate(values: Sequence[float] | Column) -> Estimate:
    """One mean over questions with its interval; raises ValueError without any value."""
    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError("a mean of no values has no interval")
    if np.ptp(sample) == 0.0:
        return Estimate(mean=float(sample.mean()), low=float(sample[0]), high=float(sample[0]))
    # Summed and interpolated in this order and no other: a calibration's digest, and with it the id
    # of every cell that uses the calibration, depends on the last digit of its intervals.
    means = np.sort(np.concatenate([sample[drawn].mean(axis=1) for drawn in _draws(sample.size)]))
    low, high = (_interpolated(means, tail) for tail in _TAILS)
    return Estimate(mean=float(sample.mean()), low=low, high=high)


def average(columns: Sequence[Resampled]) -> Resampled:
    """The mean of several columns, question by question."""
    return Resampled(
        np.mean([column.values for column in columns], axis=0),
        np.mean([column.means for column in columns], axis=0),
    )


def ratio(sums: Resampled, counts: Resampled) -> Estimate:
    """A mean over rows of which questions have any number: their sum and their number by question.

    Resamples without any row are left out.
    """
    has_rows = counts.means > 0.0
    means = sums.means[has_rows] / counts.means[has_rows]
    return _estimate(sums.mean / counts.mean, means)


def _estimate(mean: float, means: Column) -> Estimate:
    low, high = np.quantile(means, _TAILS)
    return Estimate(mean=mean, low=float(low), high=float(high))


def _interpolated(ascending: Column, share: float) -> float:
    """The quantile between its two neighbors among the values."""
    index, weight = divmod(share * ascending.size + (1.0 - share), 1.0)
    below, above = ascending[int(index) - 1], ascending[int(index)]
    return float((1.0 - weight) * below + weight * above)


@contextmanager
def shared_draws() -> Iterator[None]:
    """Within it the questions are drawn once for all columns over equally many questions; a block
    within another shares its draws."""
    if _SHARED.get() is not None:
        yield
        return
    token = _SHARED.set({})
    try:
        yield
    finally:
        _SHARED.reset(token)


_SHARED: ContextVar[dict[int, list[npt.NDArray[np.uint8]]] | None] = ContextVar(
    "shared_draws", default=None
)


def _counts(n: int) -> Iterator[npt.NDArray[np.float64]]:
    """How often each of ``n`` questions was drawn, (resamples, n), a batch at a time."""
    shared = _SHARED.get()
    if shared is None:
        drawn = _drawn_counts(n)
    elif n in shared:
        drawn = iter(shared[n])
    else:
        # Those over fewer questions, if any, are not asked for again.
        shared.clear()
        drawn = iter(shared.setdefault(n, list(_drawn_counts(n))))
    return (counts.astype(float) for counts in drawn)


def _drawn_counts(n: int) -> Iterator[npt.NDArray[np.uint8]]:
    """The same in a byte each: of n draws 255 of one question never happen."""
    for drawn in _draws(n):
        # Row by row, since counters that fit into the processor's cache are counted up fast.
        counts = np.empty(drawn.shape, dtype=np.uint8)
        for row, own in zip(counts, drawn, strict=True):
            row[:] = np.bincount(own, minlength=n)
        yield counts


def _draws(n: int) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of the questions drawn, (resamples, n), a batch at a time."""
    generator = np.random.default_rng(SEED)
    batch = max(1, _BATCH_ELEMENTS // n)
    for start in range(0, N_RESAMPLES, batch):
        yield generator.integers(0, n, (min(batch, N_RESAMPLES - start), n))
