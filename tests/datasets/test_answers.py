from __future__ import annotations

from dataclasses import replace

import pytest

from argo_ml.datasets.answers import (
    grade,
    longest_choice_share,
    majority_position_share,
    random_share,
)
from argo_ml.types import Answer, Question

OPEN = Question(id="q", text="Who wrote it?", answers=("George Orwell", "Eric Blair"))
CHOICE = Question(id="q", text="Which?", choices=("Paris", "New York City", "Rome"), gold=(1,))


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


def test_choice_of_the_same_text_as_the_gold_one_is_right() -> None:
    question = Question("q", "Capital?", choices=("Paris", "Rome", "Paris"), gold=(0,))
    assert grade(question, Answer("Paris", choice=2)).correct
    assert not grade(question, Answer("Rome", choice=1)).correct


def test_open_question_is_judged_by_its_scorer() -> None:
    answer = Answer("It was George Orwell.")
    assert grade(OPEN, answer).correct
    assert not grade(replace(OPEN, scorer="exact"), answer).correct


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
