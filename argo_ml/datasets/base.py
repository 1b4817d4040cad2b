"""The contract of a source of questions, and what loading one gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that holds no usable question, set aside; ``line`` counts from 1."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.reason}"


@dataclass(frozen=True, slots=True)
class LoadedQuestions:
    """Everything a source holds, in its own order.

    ``n_repeated`` questions were dropped because an earlier one is the same; ``source`` says in a
    few words where the questions come from.
    """

    questions: tuple[Question, ...]
    source: str
    rejected: tuple[RejectedLine, ...] = ()
    n_repeated: int = 0


class QuestionSource(Protocol):
    """Gives all its questions, choices in their original order; raises `DataError`."""

    def load(self) -> LoadedQuestions: ...


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions of an experiment: sampled, choices shuffled.

    ``digest`` is the SHA-256 (hexadecimal) of all that a model or a grader sees of them, in order.
    """

    questions: tuple[Question, ...]
    digest: str
    source: str
    rejected: tuple[RejectedLine, ...] = ()
    n_repeated: int = 0
