"""The atlas as it was made once, on disk: making its questions takes seconds.

It is named by the code and the packages that it is made of, and made again where one of them
changes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import Any

from argo_ml.models.sealed_json import (
    code_digest,
    content_key,
    installed_version,
    read_sealed,
    write_sealed,
)
from argo_ml.types import Difficulty, Document, Question

PACKAGES = ("countryinfo", "mendeleev", "pycountry")


def kept_questions(folder: Path, make: Callable[[], tuple[Question, ...]]) -> tuple[Question, ...]:
    """The questions kept in ``folder``, or what ``make`` gives, which is kept there."""
    path = folder / f"questions-{_version()}.json"
    rows = read_sealed(path)
    if rows is None:
        questions = make()
        write_sealed(path, [_row(question) for question in questions])
        return questions
    return tuple(map(_question, rows))


def kept_documents(folder: Path, make: Callable[[], Iterable[Document]]) -> tuple[Document, ...]:
    """The documents kept in ``folder``, or what ``make`` gives, which is kept there."""
    path = folder / f"documents-{_version()}.json"
    rows = read_sealed(path)
    if rows is None:
        documents = tuple(make())
        write_sealed(path, list(map(astuple, documents)))
        return documents
    return tuple(Document(*row) for row in rows)


@cache
def _version() -> str:
    """Stands for everything that the atlas is made of."""
    here = Path(__file__).parent
    packages = [(name, installed_version(name)) for name in PACKAGES]
    return content_key([sys.version_info[:2], packages, code_digest([here])])


def _row(question: Question) -> list[Any]:
    return [
        question.id,
        question.text,
        question.answers,
        question.choices,
        question.gold,
        question.difficulty and question.difficulty.value,
        question.gold_passages,
        question.metadata,
    ]


def _question(row: list[Any]) -> Question:
    key, text, answers, choices, gold, difficulty, passages, metadata = row
    return Question(
        key,
        text,
        tuple(answers),
        tuple(choices),
        tuple(gold),
        difficulty and Difficulty(difficulty),
        tuple(passages),
        metadata,
    )
