"""The threshold that paid best at a price on the questions that it is chosen on.

Gates follow a line through scores and benefits instead (`threshold_by_line`), since this one
follows the luckiest of the questions: `benchmarks.answer_features` compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from argo_ml.statistics.columns import Column, outcome_column, score_column, top_sums

_ROUNDING = 1e-9
"""Far below what one question changes."""


@dataclass(frozen=True, slots=True)
class PriceThreshold:
    """Retrieve iff score >= ``threshold``; utility and use are those on the calibration rows."""

    threshold: float
    utility: float
    retrieval_share: float


def threshold_for_price(
    scores: Sequence[float], without: Sequence[bool], with_: Sequence[bool], price: float
) -> PriceThreshold:
    """Threshold with the highest mean of correct - price * retrieved on the given questions.

    Among equal ones it is the one that retrieves least. It lies midway between neighboring scores,
    or at ``math.inf`` to retrieve for none and ``-math.inf`` to retrieve for all. Raises ValueError
    for a price that is negative or not finite, and for columns as `exact_frontier` does.
    """
    if not 0.0 <= price < math.inf:
        raise ValueError(f"price={price}: needs 0 <= price < inf")
    column = score_column(scores)
    correct_without = outcome_column(without, column.size)
    gains = outcome_column(with_, column.size) - correct_without
    distinct, sizes = np.unique(-column, return_counts=True)
    n_retrieved = np.concatenate(([0], np.cumsum(sizes)))
    n_correct = correct_without.sum() + top_sums(column, gains)[n_retrieved]
    utilities = (n_correct - price * n_retrieved) / column.size
    best = int(np.argmax(utilities >= utilities.max() - _ROUNDING))
    return PriceThreshold(
        threshold=_cut(-distinct, best),
        utility=float(utilities[best]),
        retrieval_share=float(n_retrieved[best] / column.size),
    )


def _cut(descending: Column, n_above: int) -> float:
    """A threshold that ``n_above`` of the distinct scores reach."""
    if n_above == 0:
        return math.inf
    if n_above == descending.size:
        return -math.inf
    lowest_above, next_below = float(descending[n_above - 1]), float(descending[n_above])
    midway = lowest_above / 2 + next_below / 2
    # Between neighboring floats there is no middle, and rounding may give the lower one.
    return midway if midway > next_below else lowest_above
