from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.statistics.exact_sum import ExactSum

FLOATS = st.floats(min_value=-1e12, max_value=1e12)


@given(st.lists(st.lists(FLOATS, max_size=5), max_size=20))
def test_the_sum_in_pieces_is_that_of_all_values_at_once(pieces: list[list[float]]) -> None:
    running = ExactSum()
    for piece in pieces:
        running.add(np.array(piece, dtype=float))

    assert running.value == math.fsum(value for piece in pieces for value in piece)


def test_counts_and_truth_values_are_summed_beside_other_numbers() -> None:
    running = ExactSum()

    running.add(np.array([True, False]))
    running.add(np.array([2, 3]))
    running.add(np.array([0.1] * 10))

    assert running.value == 7.0


def test_what_is_no_number_stays_none() -> None:
    running = ExactSum()

    running.add(np.array([0.5, math.nan]))

    assert math.isnan(running.value)


def test_nothing_sums_up_to_0() -> None:
    assert ExactSum().value == 0.0
