from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.statistics.effects import (
    EffectRates,
    effect_rates,
    retrieval_reduction,
)
from argo_ml.statistics.frontiers import FrontierPoint

_POINTS = (
    FrontierPoint(0.2, 0.2, 0.78),
    FrontierPoint(0.4, 0.4, 0.79),
    FrontierPoint(0.6, 0.6, 0.81),
)


def test_effects_of_retrieval() -> None:
    without = [False, False, True, True, False]
    with_ = [True, False, False, True, True]

    assert effect_rates(without, with_) == EffectRates(benefit=0.4, harm=0.2, neutral=0.4)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1),
    st.randoms(use_true_random=False),
)
def test_effects_are_shares_in_any_order(rows: list[tuple[bool, bool]], random: Random) -> None:
    shuffled = random.sample(rows, len(rows))
    found = effect_rates([row[0] for row in rows], [row[1] for row in rows])

    assert found.benefit + found.harm + found.neutral == pytest.approx(1.0)
    assert found == effect_rates([row[0] for row in shuffled], [row[1] for row in shuffled])


def test_effects_need_the_same_questions() -> None:
    with pytest.raises(ValueError, match="2 outcomes cannot be paired with 1"):
        effect_rates([True, False], [True])
    with pytest.raises(ValueError, match="no outcomes"):
        effect_rates([], [])


@pytest.mark.parametrize(
    ("accuracy", "share", "margin", "reduction"),
    [
        (0.80, 0.8, 0.01, 0.5),
        (0.80, 0.8, 0.0, 0.25),
        (0.78, 0.8, 0.0, 0.75),
        (0.81, 0.5, 0.0, -0.2),
        (0.90, 0.8, 0.01, None),
    ],
)
def test_retrievals_saved_at_the_reference_accuracy(
    accuracy: float, share: float, margin: float, reduction: float | None
) -> None:
    assert retrieval_reduction(_POINTS, accuracy, share, margin) == pytest.approx(reduction)
    assert retrieval_reduction(_POINTS[::-1], accuracy, share, margin) == pytest.approx(reduction)


def test_the_margin_holds_despite_rounding() -> None:
    # 0.57 - 0.01, for one, is a little off 0.56 in floating point.
    for points in range(2, 100):
        reached = (FrontierPoint(0.5, 0.5, (points - 1) / 100),)
        assert retrieval_reduction(reached, points / 100, 1.0) == 0.5


def test_no_points_save_nothing() -> None:
    assert retrieval_reduction((), 0.5, 0.5) is None


@pytest.mark.parametrize("share", [0.0, 1.5, math.nan])
def test_a_reference_that_does_not_retrieve_cannot_be_reduced(share: float) -> None:
    with pytest.raises(ValueError, match=f"reference_retrieval_share={share}"):
        retrieval_reduction(_POINTS, 0.8, share)


@pytest.mark.parametrize("margin", [-0.01, math.nan])
def test_a_margin_is_not_negative(margin: float) -> None:
    with pytest.raises(ValueError, match=f"margin={margin}"):
        retrieval_reduction(_POINTS, 0.8, 0.5, margin)
