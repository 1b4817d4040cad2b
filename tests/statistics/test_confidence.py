from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise, permutations
from random import Random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from sklearn.calibration import calibration_curve  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from argo_ml.statistics.confidence import (
    ConfidenceMetrics,
    ReliabilityBin,
    confidence_metrics,
    reliability_bins,
)
from argo_ml.statistics.intervals import wilson

_ROWS = st.lists(
    # Few distinct confidences, so that ties are common.
    st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.booleans()),
    min_size=1,
    max_size=40,
)


def _metrics(rows: list[tuple[float, bool]]) -> ConfidenceMetrics:
    return confidence_metrics([row[0] for row in rows], [row[1] for row in rows])


def test_metrics_of_four_answers() -> None:
    found = confidence_metrics([0.9, 0.8, 0.7, 0.6], [True, False, True, False])

    # 3 of 4 pairs in order; (0.01 + 0.64 + 0.09 + 0.36) / 4; |0.75 - 0.5| in the only bin;
    # risks 0, 1/2, 1/3, 1/2; (0.25 - 3/16) / (0.25 - 0.125).
    assert found.roc_auc == 0.75
    assert found.brier == pytest.approx(0.275)
    assert found.ece == pytest.approx(0.25)
    assert found.aurc == pytest.approx(1 / 3)
    assert found.prr == pytest.approx(0.5)
    assert found.n == 4


@pytest.mark.parametrize(("correct", "brier", "aurc"), [(True, 0.1, 0.0), (False, 0.5, 1.0)])
def test_answers_of_one_kind_cannot_be_told_apart(correct: bool, brier: float, aurc: float) -> None:
    found = confidence_metrics([0.6, 0.8], [correct, correct])

    assert found.roc_auc is None
    assert found.prr is None
    assert found.brier == pytest.approx(brier)
    assert found.aurc == aurc


def test_a_single_answer() -> None:
    assert confidence_metrics([0.75], [True]) == ConfidenceMetrics(
        roc_auc=None,
        brier=0.0625,
        ece=0.25,
        # 0.75 * 0.25 + 0.25 * 0.75, but for the draws' own chance.
        ece_if_calibrated=pytest.approx(0.375, abs=0.05),
        aurc=0.0,
        prr=None,
        n=1,
        n_questions=1,
    )


def test_answers_about_one_question_count_as_no_more_than_one() -> None:
    confidences = np.linspace(0.3, 0.7, 24)
    once = confidence_metrics(confidences.tolist(), [True, False] * 12)

    thrice = confidence_metrics(
        np.tile(confidences, 3).tolist(), [True, False] * 36, questions=list(range(24)) * 3
    )

    assert (thrice.n, thrice.n_questions) == (72, 24)
    assert thrice.ece == pytest.approx(once.ece)
    assert thrice.ece_if_calibrated == pytest.approx(once.ece_if_calibrated, rel=0.15)


def test_questions_must_be_paired_with_answers() -> None:
    with pytest.raises(ValueError, match="1 questions cannot be paired with 2 answers"):
        confidence_metrics([0.5, 0.6], [True, False], questions=["q1"])


def test_bins_of_too_few_answers_join_their_neighbor() -> None:
    confidences = [0.1] * 3 + [0.5] * 30 + [0.9] * 25

    bins = reliability_bins(confidences, [True] * 58, 10, least=20)

    assert [own.n for own in bins] == [33, 25]
    assert sum(own.n for own in reliability_bins([0.2] * 7, [True] * 7, 10, least=20)) == 7


def test_interval_of_repeated_answers_is_as_wide_as_of_single_ones() -> None:
    confidences, correct = [0.5] * 40, [True] * 20 + [False] * 20
    [once] = reliability_bins(confidences, correct, 1)
    [pooled] = reliability_bins(confidences * 9, correct * 9, 1)

    [clustered] = reliability_bins(confidences * 9, correct * 9, 1, list(range(40)) * 9)

    width = once.interval.high - once.interval.low
    assert clustered.interval.high - clustered.interval.low == pytest.approx(width, rel=0.1)
    assert pooled.interval.high - pooled.interval.low < 0.5 * width


def test_few_answers_have_a_calibration_error_even_of_perfect_confidences() -> None:
    # The mean distance of the share of right answers among 20 from 1/2, as in each of 15 bins.
    right = np.arange(21)
    expected = float(stats.binom.pmf(right, 20, 0.5) @ np.abs(right / 20 - 0.5))
    spread = np.linspace(0.49, 0.51, 300).tolist()
    found = confidence_metrics(spread, [True, False] * 150)

    assert found.ece_if_calibrated == pytest.approx(expected, rel=0.05)
    assert confidence_metrics([0.0, 1.0], [True, False]).ece_if_calibrated == 0.0


def test_calibration_error_is_taken_bin_by_bin() -> None:
    # Overall confidence and accuracy agree, each of the two bins is off by 0.25.
    confidences = [0.25] * 10 + [0.75] * 10
    correct = [False] * 10 + [True] * 10

    assert confidence_metrics(confidences, correct).ece == pytest.approx(0.25)


def test_calibration_bins_hold_at_least_ten_answers() -> None:
    # With 19 answers there is one bin, in which the two halves cancel but for the odd one.
    confidences = [0.25] * 10 + [0.75] * 9
    correct = [False] * 10 + [True] * 9

    assert confidence_metrics(confidences, correct).ece == pytest.approx(0.25 / 19)


def test_calibration_error_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    confidences = generator.random(300)
    correct = generator.random(300) < confidences**2
    shares, means = calibration_curve(correct, confidences, n_bins=15, strategy="quantile")

    found = confidence_metrics(confidences.tolist(), correct.tolist())

    assert found.ece == pytest.approx(np.abs(shares - means).mean())


@given(st.lists(st.integers(0, 10), min_size=1, max_size=30))
def test_calibrated_answers_have_no_calibration_error(tenths: list[int]) -> None:
    rows = [(tenth / 10, rank < tenth) for tenth in tenths for rank in range(10)]

    assert _metrics(rows).ece == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_risk_of_ties_is_the_mean_over_their_orders(rows: list[tuple[float, bool]]) -> None:
    orders = [
        order
        for order in permutations(rows)
        if all(first[0] >= second[0] for first, second in pairwise(order))
    ]
    areas = [
        fmean(
            sum(not correct for _, correct in order[:covered]) / covered
            for covered in range(1, len(rows) + 1)
        )
        for order in orders
    ]

    assert _metrics(rows).aurc == pytest.approx(fmean(areas))


@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_rejection_ratio_of_the_oracle_is_one(correct: list[bool]) -> None:
    assume(len(set(correct)) == 2)

    assert _metrics([(float(one), one) for one in correct]).prr == pytest.approx(1.0)
    assert _metrics([(1.0 - one, one) for one in correct]).prr == pytest.approx(-1.0)


def test_rejection_ratio_of_a_constant_confidence_is_zero() -> None:
    assert confidence_metrics([0.5] * 3, [True, False, False]).prr == pytest.approx(0.0)


@given(_ROWS)
def test_rejection_ratio_is_the_gini_of_the_roc_curve(rows: list[tuple[float, bool]]) -> None:
    confidences, correct = [row[0] for row in rows], [row[1] for row in rows]
    assume(len(set(correct)) == 2)

    assert _metrics(rows).prr == pytest.approx(2 * roc_auc_score(correct, confidences) - 1)


@given(_ROWS, st.randoms(use_true_random=False))
def test_order_of_answers_does_not_matter(rows: list[tuple[float, bool]], random: Random) -> None:
    shuffled = random.sample(rows, len(rows))

    assert astuple(_metrics(shuffled)) == pytest.approx(astuple(_metrics(rows)))


@pytest.mark.parametrize("confidence", [-0.1, 1.2, float("nan")])
def test_confidence_outside_the_unit_interval_is_an_error(confidence: float) -> None:
    with pytest.raises(ValueError, match=f"={confidence}: needs"):
        confidence_metrics([0.5, confidence], [True, False])
    with pytest.raises(ValueError, match=f"={confidence}: needs"):
        reliability_bins([0.5, confidence], [True, False], 1)


def test_unpaired_answers_are_an_error() -> None:
    with pytest.raises(ValueError, match="1 outcomes cannot be paired with 2 scores"):
        confidence_metrics([0.5, 0.6], [True])


def test_reliability_bins() -> None:
    found = reliability_bins([1.0, 0.0, 0.25, 0.75], [True, False, True, True], 2)

    assert found == (
        ReliabilityBin(0.125, 0.5, wilson(1, 2), 2),
        ReliabilityBin(0.875, 1.0, wilson(2, 2), 2),
    )


def test_equal_confidences_share_a_bin() -> None:
    found = reliability_bins([0.25, 0.75, 0.75, 0.75], [False, True, True, False], 2)

    assert [(one.mean_confidence, one.n) for one in found] == [(0.25, 1), (0.75, 3)]


def test_one_confidence_leaves_one_bin() -> None:
    assert [one.n for one in reliability_bins([0.5] * 7, [True] * 7, 5)] == [7]


def test_no_bins_are_an_error() -> None:
    with pytest.raises(ValueError, match="n_bins=0"):
        reliability_bins([0.5], [True], 0)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60, unique=True),
    st.integers(1, 15),
)
def test_bins_without_ties_differ_by_at_most_one_answer(
    confidences: list[float], n_bins: int
) -> None:
    sizes = [one.n for one in reliability_bins(confidences, [True] * len(confidences), n_bins)]

    assert sum(sizes) == len(confidences)
    assert max(sizes) - min(sizes) <= 1


@given(_ROWS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_order_of_answers_does_not_change_the_bins(
    rows: list[tuple[float, bool]], n_bins: int, random: Random
) -> None:
    shuffled = random.sample(rows, len(rows))

    first, second = (
        reliability_bins([row[0] for row in some], [row[1] for row in some], n_bins)
        for some in (rows, shuffled)
    )

    assert [(one.share_correct, one.n) for one in first] == [
        (one.share_correct, one.n) for one in second
    ]
