from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.models.local.decoding import PASS_TOKENS, groups_by_length


def cost(groups: list[list[int]], lengths: list[int]) -> int:
    return sum(max(lengths[row] for row in group) * len(group) + PASS_TOKENS for group in groups)


def test_no_rows_make_no_group() -> None:
    assert groups_by_length([]) == []


def test_rows_of_one_length_go_together() -> None:
    [group] = groups_by_length([40] * 5)
    assert sorted(group) == [0, 1, 2, 3, 4]


def test_rows_are_parted_where_padding_costs_more_than_a_pass() -> None:
    groups = groups_by_length([400, 30, 410, 28])
    assert [sorted(group) for group in groups] == [[0, 2], [1, 3]]


def test_a_pass_is_not_spent_on_little_padding() -> None:
    assert len(groups_by_length([60, 50, 45])) == 1


@given(st.lists(st.integers(1, 500), min_size=1, max_size=7))
def test_no_grouping_of_neighbours_costs_less(lengths: list[int]) -> None:
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    groups = groups_by_length(lengths)

    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for n_cuts in range(len(lengths)):
        for cuts in combinations(range(1, len(lengths)), n_cuts):
            edges = [0, *cuts, len(lengths)]
            other = [order[a:b] for a, b in pairwise(edges)]
            assert cost(groups, lengths) <= cost(other, lengths)


@pytest.mark.parametrize("lengths", [[1], [5, 5, 5], [300, 1]])
def test_every_row_is_in_one_group(lengths: list[int]) -> None:
    rows = [row for group in groups_by_length(lengths) for row in group]
    assert sorted(rows) == list(range(len(lengths)))
