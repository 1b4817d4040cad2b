from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from argo_ml.statistics import resampling
from argo_ml.statistics.intervals import Estimate
from argo_ml.statistics.resampling import (
    Resampled,
    average,
    mean_estimate,
    ratio,
    resample,
    shared_draws,
)


def drawn(seed: int, n: int = 40) -> list[float]:
    generator = random.Random(seed)
    return [generator.choice([0.0, 1.0]) - 0.1 * generator.random() for _ in range(n)]


def difference(first: Sequence[float], second: Sequence[float]) -> Resampled:
    one, other = resample([np.array(first), np.array(second)])
    return one - other


def test_columns_share_the_resamples_of_one_mean() -> None:
    first, second = drawn(1), drawn(2)

    one, other = resample([np.array(first), np.array(second)])

    alone = mean_estimate(first)
    assert (one.estimate.low, one.estimate.high) == pytest.approx((alone.low, alone.high))
    wanted = mean_estimate([own - others for own, others in zip(first, second, strict=True)])
    found = (one - other).estimate
    assert found.mean == pytest.approx(wanted.mean)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def test_one_mean_has_the_interval_of_scipy_to_the_last_digit() -> None:
    values = drawn(3, n=500)

    found = mean_estimate(values)

    wanted = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, batch=4000, method="percentile", rng=20_260_101
    ).confidence_interval
    assert (found.low, found.high) == (wanted.low, wanted.high)


def test_bootstrap_of_equal_values_has_no_width() -> None:
    assert mean_estimate([0.25, 0.25, 0.25]) == Estimate(mean=0.25, low=0.25, high=0.25)


def test_bootstrap_of_no_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="no questions"):
        resample([np.empty(0)])
    with pytest.raises(ValueError, match="no values"):
        mean_estimate([])


def test_bootstrap_is_near_the_normal_interval_for_many_values() -> None:
    # Mean 0.5, standard error 0.5 / sqrt(400) = 0.025.
    found = mean_estimate([0.0, 1.0] * 200)

    assert found.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.005)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.005)


def test_bootstrap_is_the_same_every_time() -> None:
    values = [0.1, 0.9, 0.4, 0.4, 0.7]

    assert mean_estimate(values) == mean_estimate(values)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30))
def test_bootstrap_interval_lies_within_the_values(values: list[float]) -> None:
    found = mean_estimate(values)

    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_pairing_cancels_what_makes_questions_differ() -> None:
    difficulty = [0.0, 10.0, 20.0, 30.0]

    found = difference([value + 0.5 for value in difficulty], difficulty)

    assert found.estimate == Estimate(mean=0.5, low=0.5, high=0.5)
    assert found.values.size == 4


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_p_value_does_not_depend_on_which_comes_first(values: list[float]) -> None:
    zeros = [0.0] * len(values)

    forward, backward = difference(values, zeros), difference(zeros, values)

    assert forward.p_value == backward.p_value


def test_p_value_and_interval_agree_on_whether_there_is_a_difference() -> None:
    clear = difference([1.0] * 15 + [-1.0] * 3 + [0.0] * 30, [0.0] * 48)
    unclear = difference([1.0] * 9 + [-1.0] * 5 + [0.0] * 30, [0.0] * 44)

    assert clear.estimate.low > 0.0 and clear.p_value < 0.05
    assert unclear.estimate.low < 0.0 and unclear.p_value > 0.05


@pytest.mark.parametrize(
    ("differences", "sign"),
    [
        # What half or nearly all of the questions cost, and no answer changed.
        ([-0.02] * 50 + [0.0] * 50, 0),
        ([-0.02] * 99 + [0.0], 0),
        ([0.02] * 30 + [0.0] * 70, 0),
        ([-0.02] * 100, 0),
        ([-0.02] * 400, -1),
        ([-0.02] * 399 + [0.0], -1),
        ([1.0] * 3 + [0.0] * 7, 0),
        ([1.0] * 9 + [0.0] * 31, 1),
        ([1.0] * 15 + [-1.0] * 3 + [0.0] * 30, 1),
        ([0.0] * 400, 0),
    ],
)
def test_a_sign_is_told_where_unseen_answers_cannot_outweigh_it(
    differences: list[float], sign: int
) -> None:
    assert difference(differences, [0.0] * len(differences)).sign == sign


def test_batches_change_no_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    [whole] = resample([np.array(drawn(1))])
    monkeypatch.setattr("argo_ml.statistics.resampling._BATCH_ELEMENTS", 12_345)

    [parts] = resample([np.array(drawn(1))])

    assert parts.means == pytest.approx(whole.means)


def test_shared_draws_are_those_that_every_column_draws_itself() -> None:
    columns = [np.arange(300.0) % 7, np.arange(300.0) % 11]
    alone = [resample([column])[0].means for column in columns]

    with shared_draws():
        shared = [resample([column])[0].means for column in columns]
        others = resample([columns[0][:50]])[0].means

    np.testing.assert_array_equal(shared, alone)
    np.testing.assert_array_equal(others, resample([columns[0][:50]])[0].means)


def test_a_block_within_another_shares_its_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_for: list[int] = []
    draws = resampling._draws

    def counted(n: int) -> Iterator[Any]:
        drawn_for.append(n)
        return draws(n)

    monkeypatch.setattr(resampling, "_draws", counted)
    column = np.arange(300.0)

    with shared_draws():
        with shared_draws():
            resample([column])
        resample([column])
    resample([column])

    assert drawn_for == [300, 300]


def test_equal_values_have_an_interval_of_no_width() -> None:
    [found] = resample([np.full(7, 0.3)])

    assert found.estimate.low == found.estimate.mean == found.estimate.high == pytest.approx(0.3)


def test_columns_that_are_equal_differ_by_nothing() -> None:
    one, other = resample([np.array(drawn(1)), np.array(drawn(1))])

    assert (one - other).p_value == 1.0
    assert (one - other).estimate.low == (one - other).estimate.high == 0.0


def test_average_is_taken_question_by_question() -> None:
    columns = [np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])]

    found = average(resample(columns))

    assert found.values.tolist() == [0.5, 0.5, 0.0]
    [same] = resample([np.array([0.5, 0.5, 0.0])])
    assert found.means == pytest.approx(same.means)


def test_ratio_weighs_questions_by_their_rows() -> None:
    sums, counts = resample([np.array([2.0, 0.0, 0.0]), np.array([2.0, 1.0, 0.0])])

    found = ratio(sums, counts)

    assert found.mean == pytest.approx(2 / 3)
    assert (found.low, found.high) == (0.0, 1.0)


def test_columns_of_other_questions_cannot_be_paired() -> None:
    with pytest.raises(ValueError):
        resample([np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0])])


def test_nothing_is_resampled_of_no_columns() -> None:
    assert resample([]) == []
