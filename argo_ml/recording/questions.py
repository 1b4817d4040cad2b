"""The questions of a recording, and the lines of a file of outcomes that they become."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from argo_ml.config import expanded
from argo_ml.datasets.jsonl import JsonLines, parse_question
from argo_ml.datasets.lines import LineError, decode_line
from argo_ml.errors import DataError, one_line
from argo_ml.recording.answers import OutcomeValues, as_plain
from argo_ml.results.unanswered import first_ids
from argo_ml.types import Question

Given = str | Path | Iterable[Mapping[str, Any]]
"""A file of questions, or its lines as mappings."""
ValueType = TypeVar("ValueType")
ResultType = TypeVar("ResultType")

logger = logging.getLogger(__name__)


def load_questions(given: Given) -> Sequence[Question]:
    """All questions; raises `DataError`, which names the lines that are none."""
    return _of_file(given) if isinstance(given, (str, Path)) else _of_mappings(given)


def check_lines(questions: Sequence[Question], split: str | None) -> None:
    """Raises `DataError` for metadata that no line can keep, before a question is asked."""

    def check(question: Question, number: int) -> None:
        try:
            decode_line(json.dumps(line_of(question, {}, split)))
        except (TypeError, ValueError) as error:
            raise LineError(
                f"metadata cannot be kept ({one_line(error)}); give texts, numbers, lists and "
                "mappings"
            ) from None

    _all_of(questions, check)


def line_of(
    question: Question, outcomes: Mapping[str, OutcomeValues], split: str | None
) -> dict[str, Any]:
    """The line of a file of outcomes."""
    return {
        "id": question.id,
        "question": question.text,
        **({"choices": list(question.choices)} if question.choices else {}),
        "golden_answers": list(question.gold if question.choices else question.answers),
        **({"metadata": dict(question.metadata)} if question.metadata else {}),
        **({"split": split} if split else {}),
        "outcomes": dict(outcomes),
    }


def _of_file(path: str | Path) -> Sequence[Question]:
    loaded = JsonLines(expanded(str(path), "questions")).load()
    if loaded.rejected:
        first, *others = loaded.rejected
        more = _more([line.line for line in others])
        raise DataError(f"questions={path}: {first}{more}; mend it or leave it out")
    if loaded.n_repeated:
        logger.warning(
            "questions=%s: %d lines repeat a question of an earlier one, and are left out",
            path,
            loaded.n_repeated,
        )
    return loaded.questions


def _of_mappings(given: Iterable[Mapping[str, Any]]) -> Sequence[Question]:
    questions = _all_of(given, lambda value, number: parse_question(as_plain(value), number))
    ids = [question.id for question in questions]
    repeated = next((own for own in ids if ids.count(own) > 1), None)
    if repeated is not None:
        raise DataError(f"questions: repeats id {repeated!r}; give every question its own")
    if not questions:
        raise DataError("questions is empty; give mappings with id, question and golden_answers")
    return questions


def _all_of(
    values: Iterable[ValueType], function: Callable[[ValueType, int], ResultType]
) -> list[ResultType]:
    """What it makes of every value and its number, which counts from 1.

    Raises `DataError` with the first `LineError` and the numbers of all others.
    """
    results: list[ResultType] = []
    errors: dict[int, LineError] = {}
    for number, value in enumerate(values, 1):
        try:
            results.append(function(value, number))
        except LineError as error:
            errors[number] = error
    if errors:
        first, *others = errors
        raise DataError(f"questions: number {first}: {errors[first]}{_more(others)}")
    return results


def _more(numbers: Sequence[int]) -> str:
    return f"; and {len(numbers)} more: {first_ids(numbers)}" if numbers else ""
