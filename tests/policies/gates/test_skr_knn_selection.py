from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.policies.gates.skr_knn import first_largest


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 8))
def test_the_nearest_are_those_of_a_stable_sort(values: list[int], n: int) -> None:
    column = np.array(values, dtype=float)

    chosen = first_largest(column, n)

    assert set(chosen) == set(np.argsort(-column, kind="stable")[:n])
