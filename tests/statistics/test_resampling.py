from __future__ import annotations

import random

import numpy as np
import pytest

from argo_ml.statistics.intervals import bootstrap_mean, paired_difference
from argo_ml.statistics.resampling import average, ratio, resample


def drawn(seed: int, n: int = 40) -> list[float]:
    generator = random.Random(seed)
    return [generator.choice([0.0, 1.0]) - 0.1 * generator.random() for _ in range(n)]


def test_columns_share_the_resamples_of_the_bootstrap_of_one() -> None:
    first, second = drawn(1), drawn(2)

    one, other = resample([np.array(first), np.array(second)])

    interval = bootstrap_mean(first)
    assert (one.estimate.low, one.estimate.high) == pytest.approx((interval.low, interval.high))
    wanted = paired_difference(first, second)
    found = (one - other).estimate
    assert found.mean == pytest.approx(wanted.mean)
    assert (found.low, found.high) == pytest.approx((wanted.interval.low, wanted.interval.high))
    assert (one - other).p_value == wanted.p_value


def test_batches_change_no_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    [whole] = resample([np.array(drawn(1))])
    monkeypatch.setattr("argo_ml.statistics.resampling._BATCH_ELEMENTS", 12_345)

    [parts] = resample([np.array(drawn(1))])

    assert parts.means == pytest.approx(whole.means)


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


def test_nothing_is_resampled_of_no_columns() -> None:
    assert resample([]) == []
