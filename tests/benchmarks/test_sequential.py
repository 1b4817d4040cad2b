"""Small versions of the simulations of sweeps that stop once decided."""

from __future__ import annotations

import numpy as np

from benchmarks.recorded_pairs import Pairs
from benchmarks.sequential import false_signs, savings


def test_sweeps_of_no_difference_tell_hardly_anything_wrong() -> None:
    rows = false_signs(n_sweeps=12, n_questions=100)

    assert [row["wrong"] for row in rows] == [0.0, 0.0]


def test_dear_retrievals_are_told_from_few_of_the_questions() -> None:
    without, with_ = np.tile([1.0, 0.0], 100), np.tile([1.0, 0.0, 0.0, 1.0], 50)

    dearest = list(savings(Pairs("made up", without, with_), n_orders=3))[-1]

    assert dearest["c_r"] == 0.4
    assert dearest["all tell"] == "below"
    assert dearest["same"] == 1.0
    assert dearest["share asked"] < 0.5
