"""Which retriever finds the gold answers, before any model is asked."""

from __future__ import annotations

import pytest

from argo_ml.advising.hit_rates import HitRates, better_retriever
from argo_ml.config import AdviseSpec, build

DENSE = [True] * 63 + [False] * 37
BY_WORDS = [True] * 93 + [False] * 7


def sentences(retriever: str = "dense", **hits: list[bool]) -> list[str]:
    return list(better_retriever(build(AdviseSpec, {"retriever": retriever}), HitRates(hits=hits)))


def test_a_retriever_that_finds_more_is_named_with_both_shares() -> None:
    assert sentences(dense=DENSE, bm25=BY_WORDS) == [
        "With retriever=bm25 93 % of the questions have a gold answer in the 3 nearest passages, "
        "with dense 63 %: that may do more than any policy."
    ]


@pytest.mark.parametrize("hits", [{"dense": BY_WORDS, "bm25": DENSE}, {"dense": DENSE}])
def test_nothing_is_said_where_the_chosen_one_finds_most(hits: dict[str, list[bool]]) -> None:
    assert sentences(**hits) == []


def test_what_a_few_questions_differ_by_may_be_chance() -> None:
    assert sentences(dense=[True] * 10 + [False] * 5, bm25=[True] * 13 + [False] * 2) == []


def test_a_difference_too_small_to_matter_is_not_named() -> None:
    nearly = [True] * 600 + [False] * 400
    assert sentences(dense=nearly, bm25=[True] * 640 + [False] * 360) == []
