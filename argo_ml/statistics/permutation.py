"""The sign-flip test of paired differences: exact where the sums can be listed, else drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from argo_ml.statistics.columns import Column

N_PERMUTATIONS = 9_999
SEED = 20_260_101
"""Seed of the drawn signs: the same differences always give the same p-value."""
UNSEEN = 1.0
"""What a right answer is worth more than a wrong one: the size of a difference that no question may
have shown yet."""

_MOST_SUMS = 200_000
"""Sums that are listed at a time before signs are drawn instead."""
_DECIMALS = 9
"""Differences and sums that agree to so many decimals are the same but for rounding."""
_TOLERANCE = 1e-8


def sign_flip_p_value(differences: Column) -> float:
    """Two-sided p-value that paired differences between -1 and 1 have mean 0.

    It is the share of all ways of giving the differences signs whose sum lies as far from 0 as
    theirs or farther (Fisher 1935, section 21). Flipping signs takes differences to be as likely
    positive as negative; where many small losses stand against rare large gains, as where a
    retrieval is paid on every question and helps on few, none of those may have been asked. So two
    differences more are flipped, of the size `UNSEEN`, which cancel each other: as if each way
    had been seen once more. Where the sums are too many to list, signs are drawn, and the drawn
    share counts the differences as they are as one draw more: (1 + k) / (1 + 9,999), which keeps
    the level (Phipson and Smyth 2010). Without any difference it is 1.
    """
    rounded: Column = np.round(differences, _DECIMALS)
    if not rounded.any():
        return 1.0
    flipped = np.concatenate([np.abs(rounded[rounded != 0.0]), [UNSEEN, UNSEEN]])
    sizes, counts = np.unique(flipped, return_counts=True)
    extreme = abs(float(np.sum(rounded))) - _TOLERANCE
    exact = _listed_share(sizes, counts, extreme)
    return exact if exact is not None else _drawn_share(sizes, counts, extreme)


def _listed_share(sizes: Column, counts: npt.NDArray[np.int64], extreme: float) -> float | None:
    """The exact share of sums at least ``extreme`` from 0; None where they are too many to list.

    Differences of one size are taken together: as many of them as a binomial draw are positive.
    """
    from scipy import stats  # type: ignore[import-untyped]

    sums: Column = np.zeros(1)
    shares: Column = np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        if sums.size * (count + 1) > _MOST_SUMS:
            return None
        positive = np.arange(count + 1, dtype=float)
        own = size * (2.0 * positive - count)
        weights = stats.binom.pmf(positive, count, 0.5)
        reached = np.round(np.add.outer(sums, own).ravel(), _DECIMALS)
        sums, position = np.unique(reached, return_inverse=True)
        joint = np.outer(shares, weights).ravel()
        shares = np.bincount(position, weights=joint).astype(float)
    return min(1.0, float(shares[np.abs(sums) >= extreme].sum()))


def _drawn_share(sizes: Column, counts: npt.NDArray[np.int64], extreme: float) -> float:
    generator = np.random.default_rng(SEED)
    sums = np.zeros(N_PERMUTATIONS)
    for size, count in zip(sizes, counts, strict=True):
        sums += size * (2 * generator.binomial(count, 0.5, N_PERMUTATIONS) - count)
    return float((1 + np.sum(np.abs(sums) >= extreme)) / (1 + N_PERMUTATIONS))
