"""The contract of a dataset and its questions, and what loading them gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from argo_ml.config import CacheFields, QuestionSpec
from argo_ml.types import Document, Question


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

    ``n_repeated`` questions were dropped because an earlier one is the same: text, choices and
    answers. ``source`` says in a few words where the questions come from. ``once_dropped`` are the
    ids of those that earlier versions took for repeats.
    """

    questions: tuple[Question, ...]
    source: str
    rejected: tuple[RejectedLine, ...] = ()
    n_repeated: int = 0
    once_dropped: frozenset[str] = frozenset()

    @property
    def as_before(self) -> LoadedQuestions:
        """As earlier versions loaded them, which what those have begun goes on with."""
        return replace(
            self,
            questions=tuple(own for own in self.questions if own.id not in self.once_dropped),
            n_repeated=self.n_repeated + len(self.once_dropped),
            once_dropped=frozenset(),
        )


class QuestionSource(Protocol):
    """Gives all its questions, choices in their original order; raises `DataError`."""

    def load(self) -> LoadedQuestions: ...


@dataclass(frozen=True, slots=True)
class OwnDocuments:
    """The documents that a dataset brings.

    ``source`` says where they are from: in a few words, or as the folder that they are read from
    where ``documents`` is None.
    """

    source: str
    documents: tuple[Document, ...] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Where a dataset's questions come from, and the documents that go with them.

    ``documents`` raises `DataError` where they are missing; it is None for a dataset that brings
    none, so that its users have to give some. One that ``brings_questions`` does not read the
    parameter ``questions``, which is refused beside it.
    """

    open: Callable[[QuestionSpec], QuestionSource]
    documents: Callable[[CacheFields], OwnDocuments] | None = None
    brings_questions: bool = False


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions of an experiment: sampled, choices shuffled.

    ``digest`` is the SHA-256 (hexadecimal) of all that a model or a grader sees of them, in order.
    ``is_begun`` says that an experiment goes on which has asked them before.
    """

    questions: tuple[Question, ...]
    digest: str
    source: str
    rejected: tuple[RejectedLine, ...] = ()
    n_repeated: int = 0
    is_begun: bool = False
