"""What an answer's text and its question's words say of whether it is right: no model is asked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
_DOUBT = re.compile(
    r"\b(?:unknown|unclear|unsure|uncertain|cannot|can't|could not|couldn't|not (?:known|specified|"
    r"mentioned|provided|given|sure|clear|possible|available|enough)|no (?:information|mention|"
    r"answer|evidence)|don't know|do not know|does not (?:say|mention|specify|provide)|none of|"
    r"n/a|maybe|perhaps|possibly|probably|likely|might|i think|i guess|i'm not|i am not)\b"
)
_YEAR = re.compile(r"(?:1\d|20)\d\d")
_QUANTITY = re.compile(r"\bhow (?:many|much|long|old|far|tall|big|large|often)\b")
_COMPARED = re.compile(
    r"\b(?:older|younger|earlier|later|first|larger|smaller|bigger|longer|shorter|more|less|both|"
    r"same)\b.*\bor\b|\bwhich of\b"
)
_NESTED = re.compile(r"\b(?:who|that|which|whose|where) (?:is|was|are|were|has|had)\b|\bof the\b")
_KINDS = ("who", "what", "which", "when", "where", "why", "how")


class _Parts(NamedTuple):
    """A text made ready: lower case without surrounding space, and its words as they stand."""

    plain: str
    words: tuple[str, ...]

    @property
    def vocabulary(self) -> frozenset[str]:
        return frozenset(word.casefold() for word in self.words)


@lru_cache(maxsize=4096)
def _parts(text: str) -> _Parts:
    return _Parts(text.casefold().strip(), tuple(WORD.findall(text)))


def _share(holds: Callable[[str], bool], words: tuple[str, ...]) -> float:
    return sum(map(holds, words)) / len(words) if words else 0.0


def _digit_share(text: str) -> float:
    return sum(map(str.isdigit, text)) / len(text) if text else 0.0


def _capitals(text: str) -> float:
    return _share(lambda word: word[0].isupper(), _parts(text).words)


def _shared_words(text: str, other: str) -> float:
    """Share of the words of ``text`` that ``other`` has as well."""
    known = _parts(other).vocabulary
    return _share(lambda word: word.casefold() in known, _parts(text).words)


def _begins(word: str) -> Callable[[str], float]:
    return lambda text: float(_parts(text).plain.startswith(word))


def _doubts(text: str) -> float:
    return float(_DOUBT.search(_parts(text).plain) is not None)


def _asks(kind: str) -> Callable[[str], float]:
    """1 where it is the first of the words that ask."""

    return lambda question: float(_asking_word(question) == kind)


@lru_cache(maxsize=1024)
def _asking_word(question: str) -> str:
    asking = (word.casefold() for word in _parts(question).words)
    return next((word for word in asking if word in _KINDS), "")


ANSWER_FEATURES: Mapping[str, Callable[[str], float]] = {
    "answer_characters": lambda text: math.log1p(len(text)),
    "answer_words": lambda text: math.log1p(len(_parts(text).words)),
    "answer_yes": _begins("yes"),
    "answer_no": _begins("no"),
    "answer_doubts": _doubts,
    "answer_digits": lambda text: float(any(map(str.isdigit, text))),
    "answer_digit_share": _digit_share,
    "answer_year": lambda text: float(_YEAR.fullmatch(_parts(text).plain.rstrip(".")) is not None),
    "answer_capitals": _capitals,
    "answer_commas": lambda text: math.log1p(text.count(",")),
    "answer_and": lambda text: float("and" in _parts(text).vocabulary),
    "answer_parentheses": lambda text: float("(" in text),
}
"""Name of a feature -> what computes it from the text of an answer."""

QUESTION_KINDS: Mapping[str, Callable[[str], float]] = {
    **{f"asks_{kind}": _asks(kind) for kind in _KINDS},
    "asks_quantity": lambda text: float(_QUANTITY.search(_parts(text).plain) is not None),
    "compares": lambda text: float(_COMPARED.search(_parts(text).plain) is not None),
    "nested": lambda text: math.log1p(len(_NESTED.findall(_parts(text).plain))),
    "question_capitals": _capitals,
    "question_digits": lambda text: float(any(map(str.isdigit, text))),
}
"""Name of a feature -> what computes it from the text of a question."""


def answer_in_question(answer: str, question: str) -> float:
    """Share of the words of an answer that its question has as well."""
    return _shared_words(answer, question)
