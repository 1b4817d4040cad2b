"""A small version of the check of how many questions are needed."""

from __future__ import annotations

import numpy as np

from benchmarks.further_questions import named_and_needed, shown_and_settled
from benchmarks.recorded_pairs import Pairs


def test_samples_of_the_number_named_tell_the_sign_four_times_in_five() -> None:
    without, with_ = np.tile([1.0, 0.0], 200), np.tile([1.0, 0.0, 0.0, 1.0], 100)

    rows = list(named_and_needed(Pairs("made up", without, with_), n_sample=50, n_draws=200))

    assert [row["c_r"] for row in rows] == [0.02, 0.05, 0.1, 0.2, 0.4]
    assert all(0.7 < row["told by as many"] < 0.95 for row in rows if 30 < row["needed"] < 20_000)


def test_large_difference_is_settled_by_as_many_as_are_shown_and_a_small_one_is_not() -> None:
    without, with_ = np.tile([1.0, 0.0], 200), np.tile([1.0, 0.0, 0.0, 1.0], 100)
    pairs = Pairs("made up", without, with_)

    rows = {row["c_r"]: row for row in shown_and_settled(pairs, n_sample=50, n_draws=100)}

    assert rows[0.4]["less than half"] < 0.1
    assert rows[0.4]["settled by as many as shown"] > 0.7
    assert rows[0.02]["settled by as many as shown"] < rows[0.4]["settled by as many as shown"]
    assert rows[0.4]["calibrated on as many: right plan"] > 0.9
