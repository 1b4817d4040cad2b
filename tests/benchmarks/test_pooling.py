from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.learners import GROUPS
from benchmarks.pooling import Pool, trial


@pytest.fixture
def pool() -> Pool:
    """A retrieval helps half of the first set and none of the other, which is twice as large."""
    changes = (np.tile([1.0, 0.0], 25), np.zeros(100))
    return Pool(
        [
            SimpleNamespace(change=own, groups={name: np.zeros((len(own), 1)) for name in GROUPS})
            for own in changes
        ]
    )


def test_every_fold_leaves_out_a_fifth_of_each_set(pool: Pool) -> None:
    for train, held_out in pool.folds(seed=0):
        assert np.bincount(pool.sets[train]).tolist() == [40, 80]
        assert np.bincount(pool.sets[held_out]).tolist() == [10, 20]


def test_plan_of_each_set_gains_over_one_plan_and_nothing_over_itself(pool: Pool) -> None:
    def of_each(train: np.ndarray, new: np.ndarray) -> np.ndarray:
        return pool.alone(pool.mean, train, new)

    over_all = trial(pool, of_each, pool.mean, n=0, seed=0).mean(axis=0)
    over_itself = trial(pool, of_each, of_each, n=0, seed=0)

    # At 0.1 one plan retrieves for all: those of the second set pay for nothing.
    assert over_all[2] == pytest.approx(0.1 * 2 / 3)
    assert not over_itself.any()
