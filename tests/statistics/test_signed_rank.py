from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from argo_ml.statistics.signed_rank import signed_rank_p_value


def test_counted_share_of_five_differences_with_ties_and_a_zero() -> None:
    # Ranks of the distances: 1 for the zero, 2.5 twice, 4.5 twice; above 0 stands 2.5 alone, and of
    # the 16 ways of giving signs 3 sum to that or less.
    assert signed_rank_p_value(np.array([0.0, 0.1, -0.1, -0.2, -0.2])) == 3 / 16


def test_differences_of_zero_alone_show_nothing() -> None:
    assert signed_rank_p_value(np.zeros(10)) == 1.0


@pytest.mark.parametrize("n", [2, 7, 10, 13, 14, 40, 60])
@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_it_is_what_scipy_computes(n: int, levels: int) -> None:
    generator = np.random.default_rng(1000 * n + levels)
    # Of 13 differences, of which some are equal, SciPy takes more than a second.
    for _ in range(1 if n == 13 else 3):
        differences = generator.integers(-levels, levels, n, endpoint=True) / 8
        expected = stats.wilcoxon(differences, alternative="less", zero_method="zsplit").pvalue
        assert signed_rank_p_value(differences) == expected or math.isnan(expected)
