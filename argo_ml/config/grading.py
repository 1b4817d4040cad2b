"""How open answers are judged: the parameter ``scorer`` and the names that it takes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, field_validator

from argo_ml.config.base import HelpSection, Spec
from argo_ml.plugins import installed

AUTO = "auto"
PLAIN_SCORERS = (AUTO, "exact", "contains")
F1, NUMERIC = "f1", "numeric"
DEFAULT_F1 = 0.5
ENTRY_POINTS = "argo_ml.scorers"
"""Group of entry points whose names are scorers."""
WANTED = (
    "give auto, exact, contains, f1:THRESHOLD, numeric:TOLERANCE, MODULE:FUNCTION or the name of "
    f"an entry point of the group {ENTRY_POINTS}"
)

_FUNCTION = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class ScorerName:
    """A scorer as it was named: one of argo_ml with its number, or somebody's function."""

    name: str
    number: float = 0.0
    is_function: bool = False
    is_plugin: bool = False


def parse_scorer(given: str) -> ScorerName:
    """Raises ValueError for a name that no scorer has; whether a function exists is not tried."""
    name, colon, number = given.partition(":")
    if given in PLAIN_SCORERS:
        return ScorerName(given)
    if name == F1:
        return ScorerName(name, _number(number, 1.0) if colon else DEFAULT_F1)
    if name == NUMERIC:
        return ScorerName(name, _number(number, math.inf) if colon else 0.0)
    if _FUNCTION.fullmatch(given) and name not in PLAIN_SCORERS:
        return ScorerName(given, is_function=True)
    brought = installed(ENTRY_POINTS)
    if given in brought:
        return ScorerName(given, is_plugin=True)
    names = f" (installed: {', '.join(brought)})" if brought else ""
    raise ValueError(f"is no scorer; {WANTED}{names}")


def _number(text: str, largest: float) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number; {WANTED}") from None
    if not 0.0 <= number <= largest or math.isinf(number):
        limit = "" if math.isinf(largest) else f" and at most {largest:g}"
        raise ValueError(f"{text} must be at least 0{limit}")
    return number


class GradingFields(Spec):
    """How answers are judged."""

    section: ClassVar[HelpSection] = HelpSection.QUESTIONS

    scorer: str = Field(
        AUTO,
        description="How open answers are judged: auto, exact, contains, f1:THRESHOLD, "
        "numeric:TOLERANCE, MODULE:FUNCTION, or a plugin's name (docs/grading.md).",
    )

    @field_validator("scorer")
    @classmethod
    def _scorer_known(cls, value: str) -> str:
        parse_scorer(value)
        return value
