"""Intervals of shares, and tests of strategies over the same questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import numpy as np
from scipy import special  # type: ignore[import-untyped]

CONFIDENCE = 0.95
_TAIL = (1.0 - CONFIDENCE) / 2
_QUANTILE = float(special.ndtri((1.0 + CONFIDENCE) / 2))
"""Of the normal distribution. `scipy.stats` takes a second to import, so what counts answers is
written out."""
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval, both ends included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval, bootstrapped over questions unless said otherwise.

    Its format is that of its numbers: ``f"{estimate:+z.3f}"`` is ``+0.031 [+0.004, +0.058]``, the
    ``z`` for zero without a sign of its own.
    """

    mean: float
    low: float
    high: float

    def __format__(self, number_format: str) -> str:
        def written(number: float) -> str:
            return format(number, number_format)

        return f"{written(self.mean)} {ends_text(self.low, self.high, written)}"


ROUNDING = 1e-9
"""Of means, whose last digits differ from processor to processor."""


def nearly_highest(means: Iterable[float]) -> float:
    """What means that are the highest but for rounding do not lie below; infinite of none."""
    return max(means, default=math.inf) - ROUNDING


def best_of(means: Mapping[Key, float], before: Key | None = None) -> Key:
    """The key of the highest mean but for rounding; of equal ones ``before``, else the first."""
    highest = nearly_highest(means.values())
    best = [key for key, mean in means.items() if mean >= highest]
    return before if before is not None and before in best else best[0]


def shows_spread(low: float, high: float) -> bool:
    """Whether an interval has a width: equal values on all questions give it none, and then nothing
    is known of the uncertainty."""
    return high - low > ROUNDING


def interval_sign(low: float, high: float) -> int:
    """1 or -1 where an interval lies above or below 0, else 0; one without width tells nothing.

    Whether a difference is told to be there takes more: `argo_ml.statistics.resampling.Resampled`.
    """
    return (low > ROUNDING) - (high < -ROUNDING) if shows_spread(low, high) else 0


def ends_text(low: float, high: float, written: Callable[[float], str]) -> str:
    """``[+0.004, +0.058]``, or that there is no interval; ``written`` writes a number."""
    if not shows_spread(low, high):
        return "[no interval: no spread]"
    return f"[{written(low)}, {written(high)}]"


def unseen_share(n: int) -> float:
    """How many questions can be of a kind that none of ``n`` was, as a share: the upper end of
    the exact interval (Clopper and Pearson 1934)."""
    return float(1.0 - _TAIL ** (1 / n))


def questions_to_see(share: float) -> int:
    """The number of questions from which on a kind that none of them was makes up less than
    ``share`` of all: where `unseen_share` falls below it."""
    return math.ceil(math.log(_TAIL) / math.log1p(-share)) if share < 1.0 else 1


def wilson(successes: int, n: int) -> Interval:
    """Wilson score interval of a share (Wilson 1927), without continuity correction."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"successes={successes}, n={n}: needs 0 <= successes <= n and n >= 1")
    share = successes / n
    denominator = 2 * (n + _QUANTILE**2)
    middle = (2 * n * share + _QUANTILE**2) / denominator
    half = _QUANTILE / denominator * math.sqrt(4 * n * share * (1 - share) + _QUANTILE**2)
    low = 0.0 if successes == 0 else middle - half
    return Interval(low, 1.0 if successes == n else middle + half)


def share_difference(successes: int, n: int, others: int, n_others: int) -> Interval:
    """Score interval of the difference of two shares of independent samples (Newcombe 1998,
    method 10)."""
    share, other = successes / n, others / n_others
    own, compared = wilson(successes, n), wilson(others, n_others)
    below = math.hypot(share - own.low, compared.high - other)
    above = math.hypot(own.high - share, other - compared.low)
    return Interval(share - other - below, share - other + above)


def change_estimate(changes: Sequence[float]) -> Estimate:
    """Mean change of a share over questions, each in [-1, 1], with its adjusted Wald interval.

    For the interval alone half a question is added to each of the four pairs of before and after
    (Agresti and Min 2005), so that it has a width also where no question changed, and keeps its
    level for few questions. Raises ValueError without any change.
    """
    values = np.asarray(changes, dtype=float)
    if values.size == 0:
        raise ValueError("a mean of no changes has no interval")
    n = values.size + 2
    center = float(values.sum()) / n
    variance = (float(values @ values) + 1.0) / n - center**2
    half = _QUANTILE * (variance / n) ** 0.5
    low, high = max(-1.0, center - half), min(1.0, center + half)
    return Estimate(mean=float(values.mean()), low=low, high=high)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Two-sided exact McNemar p-value of two strategies' correctness on the same questions.

    It is the binomial test on the questions that only one of the two got right; 1.0 without any.
    """
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    if only_first + only_second == 0:
        return 1.0
    from scipy import stats

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
