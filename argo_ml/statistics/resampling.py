"""One bootstrap over questions for all columns of a sweep, with the resamples of `statistics`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from argo_ml.statistics.columns import Column
from argo_ml.statistics.intervals import CONFIDENCE, N_RESAMPLES, SEED, Estimate, two_sided

_BATCH_ELEMENTS = 2_000_000
_TAILS = ((1.0 - CONFIDENCE) / 2, (1.0 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True, eq=False)
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

    @property
    def estimate(self) -> Estimate:
        """What `bootstrap_mean` gives, up to rounding."""
        if np.ptp(self.values) == 0.0:
            return Estimate(mean=self.mean, low=self.mean, high=self.mean)
        return _estimate(self.mean, self.means)

    @property
    def p_value(self) -> float:
        """That of `paired_difference`, of a column of differences."""
        return two_sided(self.means)


def resample(columns: Sequence[Column]) -> list[Resampled]:
    """The bootstrap of several columns over the same questions in the same order."""
    if not columns:
        return []
    matrix = np.column_stack(columns)
    n = len(matrix)
    means = np.concatenate([counts @ matrix for counts in _counts(n)]) / n
    return [Resampled(column, means[:, index]) for index, column in enumerate(columns)]


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


def _counts(n: int) -> Iterator[npt.NDArray[np.float64]]:
    """How often each of ``n`` questions was drawn, (resamples, n), a batch at a time."""
    generator = np.random.default_rng(SEED)
    batch = max(1, _BATCH_ELEMENTS // n)
    for start in range(0, N_RESAMPLES, batch):
        n_resamples = min(batch, N_RESAMPLES - start)
        drawn = generator.integers(0, n, (n_resamples, n))
        drawn += np.arange(n_resamples)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=n_resamples * n)
        yield counts.reshape(n_resamples, n).astype(float)
