from __future__ import annotations

import numpy as np
import pytest

from benchmarks.segments import Segmented, admitted, estimates, shrunk_means


def made_up(n: int) -> Segmented:
    """Retrieving helps half of the first segment and none of the other."""
    labels = np.array(["a", "b"] * n)
    benefit = np.where(labels == "a", np.tile([1.0, 0.0, 0.0, 0.0], n // 2), 0.0)
    return Segmented(benefit, {"set": labels})


def test_means_of_a_few_are_shrunk_towards_the_level_above_and_of_many_hardly() -> None:
    few, many = made_up(4), made_up(400)

    shrunk = [
        shrunk_means(own.levels["set"], own.benefit, np.full(own.benefit.size, own.benefit.mean()))
        for own in (few, many)
    ]

    assert 0.25 <= shrunk[0]["a"] < shrunk[1]["a"] <= 0.5
    assert shrunk[1]["a"] == pytest.approx(0.5, abs=0.02)


def test_level_that_separates_what_pays_is_admitted() -> None:
    data = made_up(200)

    assert admitted(data, ("set",), price=0.3) == ("set",)
    assert estimates(data, data, ("set",))[0] > 0.3 > estimates(data, data, ("set",))[1]


def test_level_that_says_nothing_is_not_admitted() -> None:
    data = Segmented(np.tile([1.0, 0.0], 100), {"set": np.array(["a", "a", "b", "b"] * 50)})

    assert admitted(data, ("set",), price=0.1) == ()


@pytest.mark.parametrize("level", ["clusters", "tree", "set and tree"])
def test_learned_levels_find_what_parts_questions_by_where_they_lie(level: str) -> None:
    helped = np.tile([1.0, 0.0], 100)
    places = helped[:, None] + np.random.default_rng(0).normal(0.0, 0.1, (200, 3))
    data = Segmented(helped, {"set": np.array(["a"] * 200)}, places, places)

    estimated = estimates(data, data, (level,))

    assert estimated[helped == 1.0].min() > 0.8
    assert estimated[helped == 0.0].max() < 0.2
