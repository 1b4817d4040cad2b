"""Columns over the same questions: checked, and ordered without regard to the order of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Column: TypeAlias = npt.NDArray[np.float64]
"""One finite number per question."""


def score_column(scores: Sequence[float]) -> Column:
    """Scores of at least one question; raises ValueError naming one that is not finite."""
    column = np.asarray(scores, dtype=float)
    if column.size == 0:
        raise ValueError("no scores, so there is nothing to judge")
    for score in column[~np.isfinite(column)]:
        raise ValueError(f"score={score}: needs a finite number")
    return column


def outcome_column(outcomes: Sequence[bool], n: int) -> Column:
    """Outcomes of ``n`` questions as 0.0 and 1.0; raises ValueError naming any other value."""
    column = np.asarray(outcomes, dtype=float)
    if column.size != n:
        raise ValueError(f"{column.size} outcomes cannot be paired with {n} scores")
    for outcome in column[(column != 0.0) & (column != 1.0)]:
        raise ValueError(f"outcome={outcome}: needs true or false")
    return column


def top_sums(scores: Column, values: Column) -> Column:
    """Expected sum of ``values`` over the k highest scores, for k = 0 to n.

    The expectation is over all orders of tied rows: within a tie the sum grows linearly.
    """
    _, tie, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    n_rows = np.concatenate(([0], np.cumsum(sizes)))
    sums = np.concatenate(([0.0], np.cumsum(np.bincount(tie, weights=values))))
    return np.interp(np.arange(scores.size + 1), n_rows, sums)
