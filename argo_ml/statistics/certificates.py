"""Thresholds that keep a promise on all questions with probability 1 - delta.

Learn-then-test (Angelopoulos, Bates, Candès, Jordan and Lei 2021, "Learn then test: calibrating
predictive algorithms to achieve risk control"): every threshold has a p-value that it breaks the
promise, exact by the binomial distribution, and thresholds are tried in an order laid down before
any outcome is seen, until the first whose p-value exceeds delta (fixed-sequence testing). That any
of those before it breaks the promise has a chance of at most delta.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from argo_ml.statistics.columns import Column, outcome_column, score_column

GRID = np.arange(100, -1, -1) / 100
"""Confidences below which no answer is given, from the most careful."""
FIRST_LOOK = 3.0
FIRST_SHARE = 0.25
"""The first threshold tried answers at least that share of the questions, and this many times the
number that could pass without any error: so a few early errors do not end the sequence."""
MOST_TIMES = 1000
"""As many questions as there are, beyond which no number is named."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """What would meet a promise that no threshold can be said to keep.

    ``n_needed`` is the number of questions with which one would pass at the rates observed, None
    where the rates are too large for any number; ``level`` is the least promise that can be
    kept with the questions that there are.
    """

    n_needed: int | None
    level: float


def binomial_p_value(n_events: int, n: int, level: float) -> float:
    """The chance of at most ``n_events`` of ``n`` where their share is ``level``.

    Small where the true share is hardly as large.
    """
    return float(special.bdtr(n_events, n, level)) if n else 1.0


def retrieval_threshold(scores: Sequence[float], level: float, delta: float) -> float:
    """The smallest threshold of which it is sure that at most ``level`` of all questions reach it.

    It is sure of ``math.inf``, which none reaches, whatever the scores. The share of questions that
    reach a threshold grows as it falls, so that the first that fails ends the search for good.
    Raises ValueError for a level or delta outside (0, 1).
    """
    _check_shares(level, delta)
    column = np.sort(score_column(scores))[::-1]
    n_passing = sum(1 for _ in _passing(column.size, level, delta))
    beyond = column[n_passing]
    return float(column[column > beyond].min(initial=math.inf))


def _passing(n: int, level: float, delta: float) -> Iterator[int]:
    """Numbers of n questions, from 1 on, that are few enough to be sure of ``level``; never all."""
    for n_events in range(1, n + 1):
        if binomial_p_value(n_events, n, level) > delta:
            return
        yield n_events


def answering_threshold(
    confidences: Sequence[float], correct: Sequence[bool], level: float, delta: float
) -> float | Unmet:
    """The smallest confidence of `GRID` from which on at most ``level`` of all answers are wrong.

    Of confidences and answers of questions that were not seen when the confidence was fitted.
    Raises ValueError for a level or delta outside (0, 1).
    """
    _check_shares(level, delta)
    column = score_column(confidences)
    wrong = 1.0 - outcome_column(correct, column.size)
    passed = last_passing(column, wrong, level, delta)
    if passed is None:
        return Unmet(_n_needed(column, wrong, level, delta), _least_level(column, wrong, delta))
    return passed


def last_passing(
    column: Column, wrong: Column, level: float, delta: float, factor: float = 1.0
) -> float | None:
    """The last threshold before the first that fails, with ``factor`` times as many questions of
    the same rates."""
    passed = None
    n_all = factor * column.size
    n_least = min(
        max(FIRST_LOOK * math.log(delta) / math.log1p(-level), FIRST_SHARE * n_all), n_all
    )
    for threshold in GRID:
        is_given = column >= threshold
        n_given = math.floor(factor * is_given.sum())
        n_wrong = math.ceil(factor * wrong[is_given].sum())
        if n_given < n_least:
            continue
        if binomial_p_value(n_wrong, n_given, level) > delta:
            return passed
        passed = float(threshold)
    return passed


def _least_level(column: Column, wrong: Column, delta: float) -> float:
    """In hundredths, the least level at which a threshold passes; 1 where none does."""
    levels = (hundredth / 100 for hundredth in range(1, 100))
    passing = (own for own in levels if last_passing(column, wrong, own, delta) is not None)
    return next(passing, 1.0)


def _n_needed(column: Column, wrong: Column, level: float, delta: float) -> int | None:
    """Questions with which a threshold would pass, if all rates stayed what they are."""

    def passes(n_questions: int) -> bool:
        factor = n_questions / column.size
        return last_passing(column, wrong, level, delta, factor) is not None

    low = high = column.size
    while not passes(high):
        low, high = high, 2 * high
        if high > MOST_TIMES * column.size:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def _check_shares(level: float, delta: float) -> None:
    for name, share in (("level", level), ("delta", delta)):
        if not 0.0 < share < 1.0:
            raise ValueError(f"{name}={share}: needs 0 < {name} < 1")
