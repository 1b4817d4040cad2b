import numpy as np
import pytest

from argo_ml.statistics.shrinkage import shrunk_means


def test_means_of_groups_that_differ_are_kept_and_those_of_chance_are_not() -> None:
    groups = np.repeat([0, 1], 200)
    noise = np.random.default_rng(0).normal(0, 0.5, 400)
    differing = np.where(groups == 0, 0.4, -0.4) + noise

    assert shrunk_means(groups, differing) == pytest.approx([0.4, -0.4], abs=0.06)
    assert shrunk_means(groups, noise) == pytest.approx([0.0, 0.0], abs=0.03)


def test_small_group_is_shrunk_more_than_a_large_one() -> None:
    groups = np.repeat([0, 1, 2], [200, 200, 4])
    values = np.repeat([0.5, -0.5, 0.5], [200, 200, 4]) + np.tile([0.9, -0.9], 202)

    large, _, small = shrunk_means(groups, values)

    assert 0.45 < large < 0.5
    assert 0.1 < small < 0.35
