from __future__ import annotations

import pytest

from argo_ml.errors import DataError
from argo_ml.results.unanswered import UnansweredQuestions


def asked(share: float, n_questions: int, *refused: str) -> UnansweredQuestions:
    unanswered = UnansweredQuestions(share, n_questions)
    for question_id in refused:
        unanswered.add(question_id, f"{question_id} is too long")
    return unanswered


@pytest.mark.parametrize(
    ("share", "n_questions", "n_allowed"),
    [(0.01, 10, 1), (0.01, 100, 1), (0.01, 1000, 10), (0.0, 1000, 0), (0.29, 100, 29), (1.0, 7, 7)],
)
def test_a_share_of_the_questions_and_at_least_one_is_allowed(
    share: float, n_questions: int, n_allowed: int
) -> None:
    assert asked(share, n_questions).n_allowed == n_allowed


def test_a_question_that_several_cells_could_not_ask_counts_once() -> None:
    asked(0.01, 100, "q7", "q7", "q7").check()


def test_an_answered_question_does_not_count() -> None:
    unanswered = UnansweredQuestions(0.0, 10)
    unanswered.add("q1", "")
    unanswered.check()
    assert unanswered.concern == ""


def test_too_many_are_named_with_what_would_help() -> None:
    with pytest.raises(DataError) as caught:
        asked(0.01, 100, "q7", "q12").check()
    message = str(caught.value)
    assert message.startswith(
        "max_unanswered=0.01: of 100 questions 2 cannot be asked, and 1 may: q7, q12 "
        "(q7 is too long); shorten these questions"
    )
    assert "raise max_unanswered" in message


def test_many_are_named_in_part() -> None:
    concern = asked(1.0, 20, *(f"q{number}" for number in range(13))).concern
    assert "q8, q9 and 3 more (q0 is too long)" in concern
