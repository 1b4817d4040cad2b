"""Intervals and paired tests over questions, all by `scipy.stats`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped]

CONFIDENCE = 0.95
N_RESAMPLES = 10_000
SEED = 20_260_101
"""Of the bootstrap's own generator, so that the same rows always give the same interval."""

_BATCH_ELEMENTS = 2_000_000
_ROUNDING = 1e-12
"""Resampled gains and losses that cancel leave up to this much of a zero."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval, both ends included."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval, bootstrapped over questions unless said otherwise."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of first minus second over ``n`` questions, with its bootstrap interval.

    ``p_value`` is two-sided and of the interval's own resamples, see `paired_difference`.
    """

    mean: float
    interval: Interval
    n: int
    p_value: float


@dataclass(frozen=True, slots=True)
class _ResampledMean:
    interval: Interval
    means: npt.NDArray[np.float64]
    """One per resample; a single one where all are equal."""


def wilson(successes: int, n: int) -> Interval:
    """Wilson score interval of a share (Wilson 1927), without continuity correction."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"successes={successes}, n={n}: needs 0 <= successes <= n and n >= 1")
    found = stats.binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(found.low), float(found.high))


def bootstrap_mean(values: Sequence[float]) -> Interval:
    """Percentile bootstrap interval of a mean (Efron and Tibshirani 1993, section 13.3).

    Values that are all equal, a single one included, give the interval of width zero that every
    resample would: it says that the sample shows no variation, not that the mean is certain.
    """
    return _resampled_mean(np.asarray(values, dtype=float)).interval


def _resampled_mean(sample: npt.NDArray[np.float64]) -> _ResampledMean:
    if sample.size == 0:
        raise ValueError("a mean of no values has no interval")
    if np.ptp(sample) == 0.0:
        return _ResampledMean(Interval(float(sample[0]), float(sample[0])), sample[:1])
    found = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=N_RESAMPLES,
        batch=max(1, _BATCH_ELEMENTS // sample.size),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    ends = found.confidence_interval
    return _ResampledMean(Interval(float(ends.low), float(ends.high)), found.bootstrap_distribution)


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """Difference of two means over the same questions in the same order.

    Questions are resampled, so what makes one question harder than another cancels. The p-value is
    the achieved significance level 2 * min(share of resampled means <= 0, share >= 0), at least
    one in ``N_RESAMPLES`` (Efron and Tibshirani 1993, section 15.4), which inverts the interval.
    Differences that are all equal and not 0 give that least value, however few they are.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    resampled = _resampled_mean(differences)
    return PairedDifference(
        mean=float(differences.mean()),
        interval=resampled.interval,
        n=len(first),
        p_value=two_sided(resampled.means),
    )


def two_sided(means: npt.NDArray[np.float64]) -> float:
    """The p-value of `paired_difference` from the resampled means."""
    smaller_share = min(np.mean(means <= _ROUNDING), np.mean(means >= -_ROUNDING))
    return float(min(1.0, max(1.0 / N_RESAMPLES, 2.0 * smaller_share)))


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Two-sided exact McNemar p-value of two strategies' correctness on the same questions.

    It is the binomial test on the questions that only one of the two got right; 1.0 without any.
    """
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Step-down adjusted p-values of a family of tests (Holm 1979), in the order given.

    Rejecting those at or below a level keeps the chance of any false rejection at or below it.
    Raises ValueError naming a p-value outside [0, 1].
    """
    for key, p_value in p_values.items():
        if not 0.0 <= p_value <= 1.0:
            raise ValueError(f"{key}: p_value={p_value}, needs 0 <= p_value <= 1")
    ascending = sorted(p_values, key=p_values.__getitem__)
    scaled = ((len(ascending) - rank) * p_values[key] for rank, key in enumerate(ascending))
    adjusted = dict(zip(ascending, accumulate(scaled, max), strict=True))
    return {key: min(1.0, adjusted[key]) for key in p_values}
