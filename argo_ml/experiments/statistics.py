"""Intervals and paired tests over questions, all by `scipy.stats`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

CONFIDENCE = 0.95
N_RESAMPLES = 10_000
SEED = 20_260_101
"""Of the bootstrap's own generator, so that the same rows always give the same interval."""

_BATCH_ELEMENTS = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval, both ends included."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of first minus second over ``n`` questions, with its bootstrap interval."""

    mean: float
    interval: Interval
    n: int


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
    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError("a mean of no values has no interval")
    if np.ptp(sample) == 0.0:
        return Interval(float(sample[0]), float(sample[0]))
    found = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=N_RESAMPLES,
        batch=max(1, _BATCH_ELEMENTS // sample.size),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """Difference of two means over the same questions in the same order.

    Questions are resampled, so what makes one question harder than another cancels.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    interval = bootstrap_mean(differences.tolist())
    return PairedDifference(float(differences.mean()), interval, len(first))


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Two-sided exact McNemar p-value of two strategies' correctness on the same questions.

    It is the binomial test on the questions that only one of the two got right; 1.0 without any.
    """
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)
