from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.datasets.grading import contains, exact_match, normalize, token_f1

ORWELL = ("George Orwell", "Eric Blair")


def test_normalize_drops_case_articles_and_punctuation() -> None:
    assert normalize("The  U.S. dollar, a currency!") == "us dollar currency"


@pytest.mark.parametrize(("text", "expected"), [("A", "a"), ("+", "+"), ("", "")])
def test_normalize_keeps_a_text_of_which_nothing_would_be_left(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_exact_match_takes_any_of_the_answers() -> None:
    assert exact_match("eric blair.", ORWELL) == 1.0
    assert exact_match("It was Eric Blair", ORWELL) == 0.0


@pytest.mark.parametrize(
    ("prediction", "answer", "expected"),
    [
        ("The answer is 6,993,000.", "6993000", 1.0),
        ("There are 14 of them", "4", 0.0),
        ("答案是北京。", "北京", 1.0),
        ("anything", "+", 0.0),
    ],
)
def test_contains_looks_for_whole_words(prediction: str, answer: str, expected: float) -> None:
    assert contains(prediction, [answer]) == expected


def test_token_f1_is_the_best_over_the_answers() -> None:
    assert token_f1("Orwell", ["George Orwell", "Eric Blair"]) == pytest.approx(2 / 3)


def test_token_f1_of_yes_is_all_or_nothing() -> None:
    assert token_f1("yes it is", ["yes"]) == 0.0
    assert token_f1("Yes.", ["yes"]) == 1.0


@given(st.text(), st.text(min_size=1))
def test_measures_are_ordered(prediction: str, answer: str) -> None:
    exact = exact_match(prediction, [answer])
    assert 0.0 <= token_f1(prediction, [answer]) <= 1.0
    assert exact <= contains(prediction, [answer])
