from __future__ import annotations

import numpy as np
import pytest

from argo_ml.statistics.sequential import Range, SequentialDifference, Sign

UNIT = Range(-1.0, 1.0)


def told(values: np.ndarray, **options: float) -> SequentialDifference:
    difference = SequentialDifference(UNIT, **options)  # type: ignore[arg-type]
    for block in np.array_split(values, max(1, len(values) // 10)):
        difference.add(block)
    return difference


@pytest.mark.parametrize(
    ("pattern", "sign"),
    [([1.0, 0.0, 0.0, 0.0], Sign.ABOVE), ([-1.0, 0.0, 0.0, 0.0], Sign.BELOW)],
)
def test_clear_difference_is_told_by_its_sign(pattern: list[float], sign: Sign) -> None:
    difference = told(np.array(pattern * 25))

    assert difference.sign is sign
    assert difference.n_needed is not None
    assert difference.n_needed <= 40


def test_difference_of_nothing_is_small_once_there_are_enough_values() -> None:
    difference = told(np.zeros(900))

    assert difference.sign is Sign.SMALL
    assert difference.interval.low > -0.011
    assert difference.interval.high < 0.011


def test_difference_of_nothing_but_the_largest_losses_has_an_interval() -> None:
    difference = SequentialDifference(Range(-1.7, 1.0))
    difference.add(np.full(41, -1.7))

    assert difference.sign is Sign.BELOW
    assert difference.interval.low == -1.7
    assert -1.7 < difference.interval.high < 0.0


def test_few_values_leave_it_open() -> None:
    difference = told(np.array([1.0, -1.0, 0.0, 1.0, -1.0]))

    assert difference.sign is Sign.OPEN
    assert difference.n_needed is None


def test_sign_stays_what_it_was_told_first() -> None:
    values = np.concatenate([np.tile([1.0, 0.0], 30), np.full(300, -1.0)])

    difference = told(values)

    assert difference.sign is Sign.ABOVE
    assert difference.n_needed is not None
    assert difference.n_needed <= 60


def test_best_of_two_baselines_is_the_one_to_beat() -> None:
    first, second = np.tile([1.0, 0.0], 100), np.tile([0.0, -1.0], 100)

    difference = told(np.column_stack([first, second]))

    assert difference.sign is Sign.BELOW
    assert difference.mean == -0.5


def test_more_differences_told_together_need_more_values() -> None:
    values = np.array([1.0, 0.0, 0.0, 0.0] * 25)

    alone, among_many = told(values), told(values, n_families=100)

    assert alone.n_needed is not None
    assert among_many.n_needed is not None
    assert alone.n_needed < among_many.n_needed
