"""What the text of an answer and the words of a question say."""

from __future__ import annotations

import math

import pytest

from argo_ml.calibration.text_features import ANSWER_FEATURES, QUESTION_KINDS, answer_in_question


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("answer_characters", "Emma", math.log(5)),
        ("answer_words", "Jane Austen wrote it", math.log(5)),
        ("answer_yes", " Yes, it is.", 1.0),
        ("answer_no", "No.", 1.0),
        ("answer_doubts", "The answer is unknown.", 1.0),
        ("answer_doubts", "I don't know", 1.0),
        ("answer_doubts", "Nobel", 0.0),
        ("answer_digits", "42 km", 1.0),
        ("answer_digit_share", "42 km", 0.4),
        ("answer_year", "1815.", 1.0),
        ("answer_year", "in 1815", 0.0),
        ("answer_capitals", "Jane Austen wrote it", 0.5),
        ("answer_commas", "red, green, blue", math.log(3)),
        ("answer_and", "Buck and Gary", 1.0),
        ("answer_parentheses", "Emma (novel)", 1.0),
    ],
)
def test_a_feature_of_an_answer(name: str, text: str, value: float) -> None:
    assert ANSWER_FEATURES[name](text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("asks_who", "who wrote Emma?", 1.0),
        ("asks_which", "What or which?", 0.0),
        ("asks_quantity", "How many moons has Mars?", 1.0),
        ("compares", "Who is older, Ann or Bo?", 1.0),
        ("compares", "Who is old?", 0.0),
        ("nested", "The man who was head of the bank that is here", math.log(4)),
        ("question_capitals", "Who saw Paris", 2 / 3),
        ("question_digits", "Who won in 1998?", 1.0),
    ],
)
def test_a_kind_of_question(name: str, text: str, value: float) -> None:
    assert QUESTION_KINDS[name](text) == pytest.approx(value)


def test_the_words_that_an_answer_repeats_are_counted() -> None:
    assert answer_in_question("Jane Austen", "What did JANE write?") == 0.5


def test_an_empty_answer_has_all_features() -> None:
    assert {compute("") for compute in ANSWER_FEATURES.values()} == {0.0}
    assert answer_in_question("", "Who?") == 0.0
