"""Grading against gold answers, and the accuracy that needs no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from argo_ml.datasets.grading import contains, exact_match, scorer_named, token_f1
from argo_ml.types import Answer, Question


@dataclass(frozen=True, slots=True)
class Grade:
    """How an answer compares with the gold ones; each measure in [0, 1] is the best over them."""

    correct: bool
    exact_match: float
    token_f1: float
    contains: float


_WRONG = Grade(correct=False, exact_match=0.0, token_f1=0.0, contains=0.0)


@lru_cache(maxsize=100_000)
def grade(question: Question, answer: Answer) -> Grade:
    """Compare an answer with the question's gold; one that was withheld or not read is wrong.

    With choices, correct means that a gold choice was chosen, or one of the same text, and the
    other measures compare the chosen text with the gold ones. Without, the question's scorer says
    what is correct. Raises ValueError for a question without gold, and for a choice that does not
    exist.
    """
    if not question.is_graded:
        raise ValueError(f"question {question.id!r} has no gold answer to grade by")
    if answer.withheld or not answer.parsed:
        return _WRONG
    if not question.choices:
        is_correct = scorer_named(question.scorer)(answer.text, question.answers)
        return _graded(answer.text, question.answers, is_correct)
    if answer.choice is None or not 0 <= answer.choice < len(question.choices):
        raise ValueError(
            f"choice={answer.choice} is not one of the {len(question.choices)} of question "
            f"{question.id!r}"
        )
    gold = [question.choices[index] for index in question.gold]
    chosen = question.choices[answer.choice]
    return _graded(chosen, gold, chosen in gold)


def _graded(text: str, gold: Sequence[str], is_correct: bool) -> Grade:
    return Grade(
        correct=is_correct,
        exact_match=exact_match(text, gold),
        token_f1=token_f1(text, gold),
        contains=contains(text, gold),
    )


def accuracy_floors(questions: Sequence[Question]) -> dict[str, float]:
    """Accuracies that need no model, by name; none where no question has choices to guess, or
    the right one of some is not known."""
    with_choices = [question for question in questions if question.choices]
    if not with_choices or not all(question.is_graded for question in with_choices):
        return {}
    return {
        "majority_position": majority_position_share(questions),
        "longest_choice": longest_choice_share(questions),
        "random": random_share(questions),
    }


def majority_position_share(questions: Sequence[Question]) -> float:
    """Accuracy of always choosing the same, best position; open questions count as wrong."""
    n_positions = max((len(question.choices) for question in questions), default=0)
    n_right = [sum(p in question.gold for question in questions) for p in range(n_positions)]
    return max(n_right, default=0) / len(questions) if questions else 0.0


def longest_choice_share(questions: Sequence[Question]) -> float:
    """Expected accuracy of choosing the longest text, ties by chance; open ones count as wrong."""
    return _share(questions, _longest_is_gold)


def random_share(questions: Sequence[Question]) -> float:
    """Expected accuracy of choosing by chance; open questions count as wrong."""
    return _share(questions, lambda question: len(question.gold) / len(question.choices))


def _longest_is_gold(question: Question) -> float:
    longest = max(map(len, question.choices))
    tied = [index for index, text in enumerate(question.choices) if len(text) == longest]
    return sum(index in question.gold for index in tied) / len(tied)


def _share(questions: Sequence[Question], expected: Callable[[Question], float]) -> float:
    """Mean over all questions of what is expected of those with choices."""
    if not questions:
        return 0.0
    return sum(expected(question) for question in questions if question.choices) / len(questions)
