from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.learners import GROUPS
from benchmarks.pooling import Pool
from benchmarks.remedies import (
    PLANS,
    Sets,
    Split,
    beyond_error,
    causes,
    followed,
    interleaved,
    of_set,
    splits,
)


@pytest.fixture
def sets() -> Sets:
    """A retrieval helps half of the first set and none of the other, interleaved ones all of it."""
    changes = (np.tile([1.0, 0.0], 50), np.zeros(100))
    parts = [
        SimpleNamespace(change=own, groups={name: np.zeros((len(own), 1)) for name in GROUPS})
        for own in changes
    ]
    return Sets(Pool(parts), np.repeat([0.0, 1.0], 100))  # type: ignore[arg-type]


@pytest.fixture
def split(sets: Sets) -> Split:
    return next(splits(sets, n_learned=60, n_repeats=1))


def test_splits_learn_from_as_many_of_each_set_and_judge_on_the_others(split: Split) -> None:
    assert np.bincount(split.sets.pool.sets[split.train]).tolist() == [60, 60]
    assert np.bincount(split.sets.pool.sets[split.new]).tolist() == [40, 40]
    assert not set(split.train) & set(split.new)


def test_plans_retrieve_where_the_benefit_exceeds_the_price(split: Split) -> None:
    by_set = followed(of_set, split).reshape(2, 40, -1).mean(axis=1)

    assert (by_set[0] > 0).all()
    assert not by_set[1].any()
    assert set(PLANS) >= {"plan of the set", "plan of all sets"}


def test_plan_of_all_is_left_only_where_the_set_is_sure_to_differ(split: Split) -> None:
    # All sets together gain 0.25: the second's 0 has no error, and is sure at every price.
    assert np.array_equal(beyond_error(split), followed(of_set, split))


def test_interleaved_retrieval_is_chosen_where_it_pays_for_all_its_retrievals(
    split: Split,
) -> None:
    second = interleaved(2, split)[40:].mean(axis=0)

    assert second == pytest.approx([0.96, 0.9, 0.8, 0.6, 0.2])


def test_prices_far_from_the_benefit_have_no_wrong_plan(sets: Sets) -> None:
    rows = causes(sets, ("a", "b"), n_learned=60, n_repeats=5)

    assert {row["wrong plan"] for row in rows if row["price"] <= 0.2} == {0.0}
    assert rows[0]["benefit"] == 50
