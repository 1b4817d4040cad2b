from __future__ import annotations

import math

import pytest

from argo_ml.calibration.signals import (
    disagreement,
    draw_disagreement,
    entropy,
    largest_probability,
    least_probability,
    margin,
    mean_closeness,
    mean_token_entropy,
)
from argo_ml.state import AnswerNow
from argo_ml.types import Answer, TokenDetail

TOKENS = (
    TokenDetail("a", math.log(0.8), entropy=0.5, gap=math.log(4)),
    TokenDetail("b", math.log(0.2), entropy=1.5, gap=math.log(2)),
)
CHOSEN = AnswerNow(Answer("x", 0), probabilities=(0.7, 0.2, 0.1))
WRITTEN = AnswerNow(Answer("a b"), tokens=TOKENS)
NOTHING = AnswerNow(Answer("", parsed=False))


def test_choices_are_judged_by_their_distribution() -> None:
    assert largest_probability(CHOSEN) == 0.7
    assert margin(CHOSEN) == pytest.approx(0.5)
    expected = -(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1))
    assert entropy(CHOSEN) == pytest.approx(expected)


def test_a_text_is_judged_by_its_tokens() -> None:
    assert largest_probability(WRITTEN) == pytest.approx(math.sqrt(0.8 * 0.2))
    # The second most probable tokens are 1/4 and 1/2 as probable as the first.
    assert mean_closeness(TOKENS) == pytest.approx(0.375)
    assert margin(WRITTEN) == pytest.approx(0.625)
    assert entropy(WRITTEN) == mean_token_entropy(TOKENS) == pytest.approx(1.0)
    assert least_probability(TOKENS) == pytest.approx(0.2)


def test_an_empty_text_is_not_sure_of_anything() -> None:
    assert (largest_probability(NOTHING), margin(NOTHING)) == (0.0, 0.0)
    assert entropy(NOTHING) == math.inf
    assert (mean_closeness(()), least_probability(())) == (1.0, 0.0)


def test_disagreement_is_the_share_of_pairs_that_differ() -> None:
    assert disagreement(["Paris", " paris ", "Lima"]) == pytest.approx(2 / 3)
    assert disagreement(["Paris", "paris", "PARIS"]) == 0.0
    assert disagreement(["a", "b", "c"]) == 1.0
    assert disagreement(["a"]) == disagreement([]) == 0.0


def test_two_draws_differ_as_often_as_the_distribution_says() -> None:
    assert draw_disagreement((0.5, 0.5)) == pytest.approx(0.5)
    assert draw_disagreement((1.0, 0.0)) == 0.0
