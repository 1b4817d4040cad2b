"""FlashRAG's question format: JSON Lines with id, question, golden_answers, choices, metadata.

https://github.com/RUC-NLPIR/FlashRAG and its datasets, where golden answers are texts, or 0-based
indices into ``choices`` for multiple choice.
"""

from __future__ import annotations

import ast
import contextlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config.grading import AUTO
from argo_ml.datasets.base import Dataset, LoadedQuestions, RejectedLine
from argo_ml.datasets.lines import LineError, check_finite, parse_lines, required_text, shown
from argo_ml.datasets.repeats import whole_content
from argo_ml.errors import DataError
from argo_ml.types import Difficulty, Question

_LINE = "line-"
_EXAMPLE = '{"question": …}'
_LONGEST_WRITTEN_LIST = 100_000
"""Characters; Python's parser takes some hundred bytes of memory for each."""
_DIFFICULTIES = {difficulty.value: difficulty for difficulty in Difficulty}


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Questions of one file; a question without an id gets its line number as one.

    Difficulty is ``metadata.difficulty`` or ``metadata.level`` where that is easy, medium or hard.
    """

    path: Path

    def load(self) -> LoadedQuestions:
        parsed = parse_lines(self.path, _numbered_question)
        by_id: dict[str, Question] = {}
        contents: set[tuple[object, ...]] = set()
        rejected = list(parsed.rejected)
        n_repeated = 0
        for number, question in parsed.values:
            content = whole_content(question)
            if content in contents:
                n_repeated += 1
            elif question.id in by_id:
                rejected.append(RejectedLine(self.path.name, number, f"repeats id {question.id!r}"))
            else:
                by_id[question.id] = question
                contents.add(content)
        rejected.sort(key=lambda line: line.line)
        if not by_id:
            first = f"; {rejected[0]}" if rejected else ""
            raise DataError(
                f"questions={self.path}: none of its {parsed.n_lines} lines is a question with "
                f"golden_answers{first}"
            )
        return LoadedQuestions(tuple(by_id.values()), str(self.path), tuple(rejected), n_repeated)


JSONL = Dataset(open=lambda spec: JsonLines(Path(spec.questions).expanduser()))


def _numbered_question(value: object, number: int) -> tuple[int, Question]:
    return number, parse_question(value, number)


def parse_question(
    value: object, number: int, needs_gold: bool = True, scorer: str = AUTO
) -> Question:
    """The question of a line's JSON value, whose answers ``scorer`` judges; raises `LineError`
    where it is none, and where it has no gold answers and ``needs_gold`` them."""
    if not isinstance(value, dict):
        raise LineError(f"not a JSON object; write {_EXAMPLE} on a line of its own")
    choices = _choices(value.get("choices"))
    listed = _listed(value.get("golden_answers"), choices)
    if not listed and needs_gold:
        raise LineError("has no golden_answers; list every answer that counts as right")
    named = tuple(_gold(answer, choices) for answer in listed) if choices else ()
    _check_indices(listed, value.get("choices") or [], choices)
    metadata = value.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise LineError(f"metadata={shown(metadata)} is not an object; write one in braces")
    return Question(
        id=_id(value.get("id"), number),
        text=required_text(value.get("question"), "question"),
        answers=tuple(choices[index] for index in named) or tuple(map(_answer, listed)),
        choices=choices,
        gold=_with_same_text(named, choices),
        difficulty=_difficulty(metadata),
        metadata=metadata,
        scorer=scorer,
    )


def _listed(answers: object, choices: tuple[str, ...]) -> list[Any]:
    """Golden answers; one alone needs no list."""
    if isinstance(answers, str) and not choices and _is_written_list(answers.strip()):
        raise LineError(
            "golden_answers is a text that holds a list; write the list, or [text] where that text "
            "is the answer"
        )
    return answers if isinstance(answers, list) else [] if answers is None else [answers]


def _is_written_list(text: str) -> bool:
    """Whether a text is a list as Python or JSON writes it, which cells of tables hold."""
    if not (text.startswith("[") and text.endswith("]")) or len(text) > _LONGEST_WRITTEN_LIST:
        return False
    with contextlib.suppress(ValueError, RecursionError):
        return isinstance(json.loads(text), list)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return isinstance(ast.literal_eval(text), list)
        except (MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
            return False


def _id(value: object, number: int) -> str:
    if value is None or value == "":
        return f"{_LINE}{number}"
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise LineError(f"id={shown(value)} is neither a text nor a number; write one of them")
    return str(value)


def is_line_number(question_id: str) -> bool:
    """Whether an id tells where in its file a question stands, and nothing of the question."""
    return question_id.startswith(_LINE) and question_id.removeprefix(_LINE).isdecimal()


def _choices(value: object) -> tuple[str, ...]:
    if value is None or value == []:
        return ()
    if not isinstance(value, list):
        raise LineError(f"choices={shown(value)} is not a list; write one in square brackets")
    if len(value) < 2:
        raise LineError("has one choice, needs at least 2; list the others, or leave choices out")
    choices = tuple(_answer(choice, f"choice {index}") for index, choice in enumerate(value))
    if len(set(choices)) == 1:
        raise LineError(
            f"its {len(choices)} choices are all {choices[0]!r}; list what there is to choose from"
        )
    return choices


def _with_same_text(named: tuple[int, ...], choices: tuple[str, ...]) -> tuple[int, ...]:
    """The gold choices and all others that read the same: who picks one of them is right."""
    same = [i for gold in named for i, text in enumerate(choices) if text == choices[gold]]
    return tuple(dict.fromkeys(same))


def _gold(answer: object, choices: tuple[str, ...]) -> int:
    if isinstance(answer, bool) or not isinstance(answer, (int, str)):
        raise LineError(
            f"golden answer {answer!r} is neither an index of its choices nor a text; write the "
            "text of one"
        )
    if isinstance(answer, str):
        if answer.strip() not in choices:
            raise LineError(
                f"golden answer {answer!r} is not one of its choices; write it as it stands there, "
                "or its index"
            )
        return choices.index(answer.strip())
    if not 0 <= answer < len(choices):
        raise LineError(
            f"golden answer {answer} is not an index of its {len(choices)} choices, which begin "
            "with 0; write the text of one"
        )
    return answer


def _check_indices(answers: list[Any], given: list[Any], choices: tuple[str, ...]) -> None:
    """Raises `LineError` for the number of one choice that is the index of another."""
    numbers = [own for own in given if not isinstance(own, (bool, str))]
    for answer in answers if choices else ():
        if not isinstance(answer, str) and answer in numbers and given[answer] != answer:
            raise LineError(
                f"golden answer {answer} is one of its choices and the index of another; write "
                "choices or golden_answers as texts"
            )


def _answer(value: object, name: str = "a golden answer") -> str:
    """Texts as they are; numbers as JSON writes them."""
    check_finite(value, name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return required_text(value, name)


def _difficulty(metadata: Mapping[str, object]) -> Difficulty | None:
    for name in ("difficulty", "level"):
        value = metadata.get(name)
        if isinstance(value, str) and value.lower() in _DIFFICULTIES:
            return _DIFFICULTIES[value.lower()]
    return None
