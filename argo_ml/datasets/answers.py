"""Grading against gold answers, and the accuracy that needs no model."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from argo_ml.types import Answer, Question

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CLOSED_ANSWERS = frozenset({"yes", "no", "noanswer"})


@dataclass(frozen=True, slots=True)
class Grade:
    """How an answer compares with the gold ones; each measure in [0, 1] is the best over them."""

    correct: bool
    exact_match: float
    token_f1: float
    contains: float


_WRONG = Grade(correct=False, exact_match=0.0, token_f1=0.0, contains=0.0)


def normalize(text: str) -> str:
    """SQuAD's normalisation: lower case, no punctuation, no articles, single spaces.

    A text of which nothing would be left ("A", "+") stays as it is, in lower case. Source: the
    evaluation script of SQuAD 1.1 (Rajpurkar et al., 2016).
    """
    bare = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split()) or text.strip().lower()


def exact_match(prediction: str, answers: Iterable[str]) -> float:
    predicted = normalize(prediction)
    return float(any(normalize(answer) == predicted for answer in answers))


def contains(prediction: str, answers: Iterable[str]) -> float:
    """Whether an answer stands in the prediction, both normalised, as whole words: no 4 in 14.

    Word ends are looked for among letters without accents and digits only: scripts that put no
    space between words have none.
    """
    predicted = normalize(prediction)
    whole = (rf"(?<![0-9a-z]){re.escape(normalize(answer))}(?![0-9a-z])" for answer in answers)
    return float(any(re.search(pattern, predicted) for pattern in whole))


def token_f1(prediction: str, answers: Iterable[str]) -> float:
    """Harmonic mean of token precision and recall; "yes" and "no" match exactly or not at all."""
    predicted = normalize(prediction)
    return max((_token_f1(predicted, normalize(answer)) for answer in answers), default=0.0)


def _token_f1(predicted: str, answer: str) -> float:
    if predicted != answer and _CLOSED_ANSWERS & {predicted, answer}:
        return 0.0
    predicted_tokens, answer_tokens = predicted.split(), answer.split()
    n_common = (Counter(predicted_tokens) & Counter(answer_tokens)).total()
    if n_common == 0:
        return 0.0
    return 2 * n_common / (len(predicted_tokens) + len(answer_tokens))


@lru_cache(maxsize=100_000)
def grade(question: Question, answer: Answer) -> Grade:
    """Compare an answer with the question's gold; one that was withheld or not read is wrong.

    With choices, correct means that a gold choice was chosen, and the other measures compare the
    chosen text with the gold ones. Without, correct means that the answer contains a gold one: the
    field's accuracy by containment (``acc`` in FlashRAG), because models answer in sentences.
    Raises ValueError for a question without gold, and for a choice that does not exist.
    """
    if not question.is_graded:
        raise ValueError(f"question {question.id!r} has no gold answer to grade by")
    if answer.withheld or not answer.parsed:
        return _WRONG
    if not question.choices:
        return _graded(answer.text, question.answers)
    if answer.choice is None or not 0 <= answer.choice < len(question.choices):
        raise ValueError(
            f"choice={answer.choice} is not one of the {len(question.choices)} of question "
            f"{question.id!r}"
        )
    gold = [question.choices[index] for index in question.gold]
    return _graded(question.choices[answer.choice], gold, answer.choice in question.gold)


def _graded(text: str, gold: Sequence[str], correct: bool | None = None) -> Grade:
    contained = contains(text, gold)
    return Grade(
        correct=bool(contained) if correct is None else correct,
        exact_match=exact_match(text, gold),
        token_f1=token_f1(text, gold),
        contains=contained,
    )


def accuracy_floors(questions: Sequence[Question]) -> dict[str, float]:
    """Accuracies that need no model, by name."""
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
