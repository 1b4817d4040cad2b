from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.datasets.answers import (
    contains,
    exact_match,
    grade,
    longest_choice_share,
    majority_position_share,
    normalize,
    random_share,
    token_f1,
)
from argo_ml.types import Answer, Question

OPEN = Question(id="q", text="Who wrote it?", answers=("George Orwell", "Eric Blair"))
CHOICE = Question(id="q", text="Which?", choices=("Paris", "New York City", "Rome"), gold=(1,))


def test_normalize_drops_case_articles_and_punctuation() -> None:
    assert normalize("The  U.S. dollar, a currency!") == "us dollar currency"


@pytest.mark.parametrize(("text", "expected"), [("A", "a"), ("+", "+"), ("", "")])
def test_normalize_keeps_a_text_of_which_nothing_would_be_left(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_exact_match_takes_any_of_the_answers() -> None:
    assert exact_match("eric blair.", OPEN.answers) == 1.0
    assert exact_match("It was Eric Blair", OPEN.answers) == 0.0


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


def test_grade_open_question_by_containment() -> None:
    graded = grade(OPEN, Answer("It was written by George Orwell."))
    assert graded.correct
    assert graded.contains == 1.0
    assert graded.exact_match == 0.0
    assert graded.token_f1 == pytest.approx(0.5)


def test_grade_choice_by_index_and_compares_texts() -> None:
    assert grade(CHOICE, Answer("2", choice=1)).exact_match == 1.0
    wrong = grade(CHOICE, Answer("1", choice=0))
    assert not wrong.correct
    assert wrong.token_f1 == 0.0


@pytest.mark.parametrize("question", [OPEN, CHOICE])
def test_grade_unreadable_answer_is_wrong_on_every_measure(question: Question) -> None:
    graded = grade(question, Answer("George Orwell", parsed=False))
    assert (graded.correct, graded.exact_match, graded.token_f1, graded.contains) == (
        False,
        0,
        0,
        0,
    )


def test_grade_without_gold_raises() -> None:
    with pytest.raises(ValueError, match="'asked' has no gold answer"):
        grade(Question(id="asked", text="Why?"), Answer("because"))


@pytest.mark.parametrize("choice", [None, 3, -1])
def test_grade_choice_that_does_not_exist_raises(choice: int | None) -> None:
    with pytest.raises(ValueError, match=f"choice={choice} is not one of the 3"):
        grade(CHOICE, Answer("?", choice=choice))


def test_shares_without_a_model() -> None:
    questions = [
        Question(id="1", text="?", choices=("aaa", "b", "c", "d"), gold=(0,)),
        Question(id="2", text="?", choices=("aaa", "bbb", "c", "d"), gold=(0,)),
        Question(id="3", text="?", choices=("a", "bb"), gold=(0, 1)),
        OPEN,
    ]
    assert majority_position_share(questions) == 0.75
    assert longest_choice_share(questions) == (1 + 0.5 + 1) / 4
    assert random_share(questions) == (0.25 + 0.25 + 1) / 4


def test_shares_of_open_questions_are_zero() -> None:
    assert majority_position_share([OPEN]) == 0.0
    assert longest_choice_share([OPEN]) == 0.0
    assert random_share([OPEN]) == 0.0


def test_an_answer_that_was_withheld_is_wrong_and_not_an_error() -> None:
    question = Question("q", "Which?", choices=("a", "b"), gold=(0,))
    assert grade(question, Answer("", withheld=True)).correct is False
