"""Which questions an experiment asks: splits, difficulty, a sample, the order of choices."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from argo_ml.randomness import derived_rng
from argo_ml.types import Question

SPLIT_PERCENT = {"calibration": 15, "tune": 15, "test": 70}

_LETTERS = "abcdefgh"
_PLACE = rf"\b[1-9{_LETTERS}]\b"
_NAMED = rf"(?:(?:option|choice|answer)\s+)?\(?{_PLACE}\)?"
_REFERENCE = re.compile(
    rf"(?:\(?[1-9{_LETTERS}][).:]\s*)?"
    r"(?:(?:all|both|neither|either|none|only|of|options|choices|answers)\s+)*"
    rf"({_NAMED}(?:\s*,\s*{_NAMED})*(?:\s*,)?\s*(?:and|or|nor|&)\s*{_NAMED})"
    r"(?:\s+only)?(?:\s+(?:are|is)\b.*)?\s*\.?",
    re.IGNORECASE,
)
"""A whole choice that names the places of others, perhaps after its own."""


def split_of(question_id: str) -> str:
    """The named split of a question: a hash of its id, whatever the seed and the other ids."""
    digest = hashlib.sha256(f"split\x1f{question_id}".encode()).digest()
    position = int.from_bytes(digest, "big") % 100
    for name, percent in SPLIT_PERCENT.items():
        if position < percent:
            return name
        position -= percent
    raise AssertionError("the splits' shares add up to less than 100 %")


def in_split(questions: Iterable[Question], split: str) -> list[Question]:
    return [question for question in questions if split in ("all", split_of(question.id))]


def sample(questions: Iterable[Question], n_questions: int, seed: int) -> list[Question]:
    """The first ``n_questions`` in an order drawn by ``seed``: a small sample begins a larger one.

    The order of two questions does not depend on which others there are.
    """

    def drawn(question: Question) -> tuple[float, str]:
        return derived_rng(seed, question.id, "sample").random(), question.id

    return sorted(questions, key=drawn)[:n_questions]


def shuffle_choices(question: Question, seed: int) -> Question:
    """The same question with its choices in an order drawn by ``seed``, gold following them.

    One with a choice that `refers_to_others` stays as it is.
    """
    return question if refers_to_others(question) else shuffle_all_choices(question, seed)


def shuffle_all_choices(question: Question, seed: int) -> Question:
    """As versions did that knew of no choices that speak of others."""
    order = list(range(len(question.choices)))
    derived_rng(seed, question.id, "choices").shuffle(order)
    return replace(
        question,
        choices=tuple(question.choices[index] for index in order),
        gold=tuple(sorted(order.index(index) for index in question.gold)),
    )


def refers_to_others(question: Question) -> bool:
    """Whether a choice speaks of others by their places, as «Both 1 and 2» or «A and C only» does.

    Those that it speaks of are plain: pairs of numbers alone are values.
    """
    places = [_places(choice) for choice in question.choices]
    plain = {place for place, own in enumerate(places, 1) if not own}
    return any(own and own <= plain for own in places)


def _places(choice: str) -> set[int]:
    """The places, from 1, that a choice consists of; none where it says something of its own."""
    match = _REFERENCE.fullmatch(choice.strip())
    if match is None:
        return set()
    names = re.findall(_PLACE, match[1], re.IGNORECASE)
    return {int(name) if name.isdigit() else _LETTERS.index(name.lower()) + 1 for name in names}


def questions_digest(questions: Sequence[Question]) -> str:
    """SHA-256 of what a model or a grader sees of the questions, in order."""
    content = [
        [
            question.id,
            question.text,
            question.choices,
            question.gold,
            question.answers,
            question.difficulty,
            question.gold_passages,
        ]
        for question in questions
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
