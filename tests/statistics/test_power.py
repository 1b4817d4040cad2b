from __future__ import annotations

import math

import pytest

from argo_ml.statistics.power import detectable_difference, pairs_needed

HALF_CHANGED = [1.0, 0.0] * 50
"""Standard deviation sqrt(0.25 * 100 / 99) = 0.50252."""


def test_detectable_difference_is_2_80_standard_errors() -> None:
    # 1.95996 + 0.84162 = 2.80159 at the 5 % level with power 80 %.
    assert detectable_difference(HALF_CHANGED) == pytest.approx(2.80159 * 0.50252 / 10, rel=1e-4)


def test_pairs_needed_grow_with_the_inverse_square() -> None:
    assert pairs_needed(HALF_CHANGED, 0.05) == math.ceil((2.801585 * 0.502519 / 0.05) ** 2)
    assert pairs_needed(HALF_CHANGED, 0.05) == 793


@pytest.mark.parametrize("differences", [[0.0, 0.0, 0.0], [1.0]])
def test_without_spread_nothing_is_known(differences: list[float]) -> None:
    assert detectable_difference(differences) is None
    assert pairs_needed(differences, 0.05) is None


def test_difference_to_tell_is_positive() -> None:
    with pytest.raises(ValueError, match=r"difference=0\.0: needs more than 0"):
        pairs_needed(HALF_CHANGED, 0.0)
