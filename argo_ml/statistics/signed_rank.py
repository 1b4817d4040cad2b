"""Wilcoxon's signed-rank test of paired differences, one-sided."""

from __future__ import annotations

import numpy as np

from argo_ml.statistics.columns import Column

MOST_LISTED = 13
"""Differences whose signs SciPy lists in turn where some are equal or 0."""


def signed_rank_p_value(differences: Column) -> float:
    """P-value that differences below 0 are no more and no larger than those above (Wilcoxon 1945).

    It is `scipy.stats.wilcoxon` with ``alternative="less"`` and ``zero_method="zsplit"``, which
    computes a statistic for each way of giving 10 differences signs where some are equal, 1,024
    times; the sums of ranks are counted here instead, to the same share.
    """
    from scipy import stats  # type: ignore[import-untyped]

    distances = np.abs(differences)
    is_distinct = np.unique(distances).size == distances.size and bool(distances.all())
    if is_distinct or distances.size > MOST_LISTED:
        tested = stats.wilcoxon(differences, alternative="less", zero_method="zsplit")
        return float(tested.pvalue)
    doubled_ranks = np.rint(2 * stats.rankdata(distances)).astype(np.int64)
    return _share_of_sums(
        doubled_ranks[distances > 0], int(doubled_ranks[np.asarray(differences) > 0].sum())
    )


def _share_of_sums(ranks: np.ndarray[tuple[int], np.dtype[np.int64]], most: int) -> float:
    """Of all ways of giving ``ranks`` signs, the share whose positive ones sum to ``most`` at
    most."""
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1.0
    for rank in ranks:
        ways[rank:] += ways[: ways.size - rank].copy()
    return float(ways[: most + 1].sum() / 2.0**ranks.size)
