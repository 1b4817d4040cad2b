"""The fields of questions' metadata that part them into segments large enough to learn from."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from argo_ml.types import Question

logger = logging.getLogger(__name__)

MOST_SEGMENTS = 20
FEWEST_QUESTIONS = 10
"""Questions of a segment, at least two of which have to have so many."""
GRADED_BY = frozenset({"difficulty", "level"})
"""A benchmark's own grade of a question, which nobody knows of one that is asked."""

OF_ANSWERS = frozenset(
    {
        *("answer", "answers", "answer_id", "answer_idx", "answer_index", "answer_key"),
        *("answerkey", "correct", "correct_answer", "correct_choice", "correct_option"),
        *("gold", "gold_answer", "golden_answer", "golden_answers", "label", "labels"),
        *("solution", "target", "targets"),
    }
)
"""Names that data sets give to what is right, as nobody knows before a question is answered."""
LEAST_TOLD = 0.8
"""Of the mistakes of one answer for all, the share that a field which tells the answer avoids
(lambda of Goodman and Kruskal 1954)."""


def segment_fields(questions: Sequence[Question]) -> tuple[dict[str, str], ...]:
    """By question its values of the fields that part all of them; nothing where no field does.

    A field that tells the answer is left out, and named in the log.
    """
    metadata = [question.metadata for question in questions]
    names = dict.fromkeys(name for own in metadata for name in own if name not in GRADED_BY)
    parting = [name for name in names if _parts([own.get(name) for own in metadata])]
    telling = [name for name in parting if _tells_answer(name, questions)]
    if telling:
        logger.info("fields of metadata that tell the answer part nothing: %s", ", ".join(telling))
    kept = [name for name in parting if name not in telling]
    if not kept:
        return ()
    return tuple({name: str(own.get(name, "")) for name in kept} for own in metadata)


def _tells_answer(name: str, questions: Sequence[Question]) -> bool:
    """Whether a field is named as the answer is, mostly has it as its value, or decides it."""
    if name.casefold() in OF_ANSWERS:
        return True
    values = [_plain(question.metadata.get(name, "")) for question in questions]
    answers = [tuple(map(_plain, question.answers)) for question in questions]
    n_named = sum(value in own for value, own in zip(values, answers, strict=True))
    n_mistakes = len(questions) - max(Counter(answers).values())
    best: Counter[str] = Counter()
    for (value, _), count in Counter(zip(values, answers, strict=True)).items():
        best[value] = max(best[value], count)
    n_left = len(questions) - sum(best.values())
    return n_named > len(questions) / 2 or n_left <= (1 - LEAST_TOLD) * n_mistakes > 0


def _plain(value: object) -> str:
    return " ".join(str(value).casefold().split())


@dataclass(frozen=True, slots=True)
class FieldIndicators:
    """A feature for every (name, value) of a calibration's fields: 1 for questions that have it."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, metadata: Sequence[Mapping[str, str]]) -> FieldIndicators:
        return cls(tuple(sorted({pair for own in metadata for pair in own.items()})))

    def knows(self, metadata: Mapping[str, object]) -> bool:
        """Whether every field has a value here that some question of the calibration has."""
        names = {name for name, _ in self.pairs}
        return all((name, self._value(metadata, name)) in self.pairs for name in names)

    def values(self, metadata: Mapping[str, object]) -> tuple[float, ...]:
        return tuple(float(self._value(metadata, name) == own) for name, own in self.pairs)

    @staticmethod
    def _value(metadata: Mapping[str, object], name: str) -> str:
        return str(metadata.get(name, ""))


def _parts(values: Sequence[object]) -> bool:
    """Whether at most `MOST_SEGMENTS` plain values, two of them often, stand there."""
    if not all(value is None or isinstance(value, (str, int)) for value in values):
        return False
    counts = Counter(map(str, values))
    n_large = sum(count >= FEWEST_QUESTIONS for count in counts.values())
    return len(counts) <= MOST_SEGMENTS and n_large > 1
