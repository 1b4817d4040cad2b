"""Means of groups, shrunk towards the mean of all by how little is known of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST_VARIANCE = 1e-12


def shrunk_means(groups: NDArray[np.int64], values: Floats) -> Floats:
    """By group (numbered from 0) the mean of ``values``, shrunk towards 0 by its variance.

    Empirical Bayes: what groups differ by beyond chance is estimated by the method of moments, and
    a mean keeps the share of itself that this is of its whole variance (Efron and Morris 1975).
    """
    counts = np.bincount(groups).astype(float)
    means = np.bincount(groups, weights=values) / counts
    within = float(values.var())
    between = max(float((counts * means**2 - within).sum()) / len(values), 0.0)
    shrunk: Floats = means * between / (between + within / counts + _LEAST_VARIANCE)
    return shrunk
