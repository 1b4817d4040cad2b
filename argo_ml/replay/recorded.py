"""A question with its recorded outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.calibration.plans import NONE
from argo_ml.datasets.answers import Grade
from argo_ml.results.text_signals import TextSignals
from argo_ml.types import Answer, Question


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """``probabilities`` are those of the choices; empty where they are not recorded."""

    answer: Answer
    grade: Grade
    probabilities: tuple[float, ...] = ()

    @property
    def correct(self) -> bool:
        return self.grade.correct


@dataclass(frozen=True, slots=True)
class RecordedQuestion:
    """``place`` says where it stands, ``split`` is empty where none is recorded.

    ``outcomes`` are by plan, `NONE` and `ONCE` among them. The others are of the closed-book
    answer: ``signals`` of its text, ``draft`` of a shorter one (that of the answer where none is
    recorded), ``samples`` drawn, ``confidence`` the probability that it is right.
    """

    place: str
    question: Question
    outcomes: Mapping[str, RecordedOutcome]
    signals: TextSignals
    draft: TextSignals
    samples: tuple[str, ...] = ()
    confidence: float | None = None
    split: str = ""

    @property
    def id(self) -> str:
        return self.question.id

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Of the choices, without retrieval."""
        return self.outcomes[NONE].probabilities
