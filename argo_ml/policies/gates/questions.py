"""Features of a question's own words, for policies that ask no model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from statistics import fmean

from argo_ml.calibration.text_features import WORD
from argo_ml.types import Question

TYPES: Mapping[str, frozenset[str]] = {
    "asks_who": frozenset({"who", "whom", "whose"}),
    "asks_what": frozenset({"what"}),
    "asks_which": frozenset({"which"}),
    "asks_when": frozenset({"when"}),
    "asks_where": frozenset({"where"}),
    "asks_why": frozenset({"why"}),
    "asks_how": frozenset({"how"}),
}
"""Kinds of questions by the words that ask them."""
JOINING = frozenset({"and", "or", "both", "than", "that", "with", "while", "but"})
"""Words that join clauses or things: a question with many asks for more than one fact."""


@lru_cache(maxsize=1024)
def _words(text: str) -> tuple[str, ...]:
    """Every feature of a question reads its words."""
    return tuple(WORD.findall(text))


@lru_cache(maxsize=1024)
def _lowered(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _words(text))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _share(question: Question, holds: Callable[[str], bool]) -> float:
    return _mean([float(holds(word)) for word in _words(question.text)])


def names(question: Question) -> float:
    """Share of the words after the first that are capitalised: names and abbreviations."""
    return _mean([float(word[0].isupper()) for word in _words(question.text)[1:]])


def _asks(words: frozenset[str]) -> Callable[[Question], float]:
    return lambda question: float(not words.isdisjoint(_lowered(question.text)))


QUESTION_FEATURES: Mapping[str, Callable[[Question], float]] = {
    "words": lambda question: math.log1p(len(_words(question.text))),
    "word_length": lambda question: _mean([len(word) for word in _words(question.text)]),
    "numbers": lambda question: _share(question, lambda word: any(map(str.isdigit, word))),
    "names": names,
    "joining": lambda question: _share(question, lambda word: word.lower() in JOINING),
    "choices": lambda question: float(len(question.choices)),
    "choice_words": lambda question: _mean([len(_words(choice)) for choice in question.choices]),
    **{name: _asks(words) for name, words in TYPES.items()},
}
"""Name of a feature -> what computes it."""


def question_features(question: Question) -> tuple[float, ...]:
    """The values of `QUESTION_FEATURES`, in its order."""
    return tuple(compute(question) for compute in QUESTION_FEATURES.values())
