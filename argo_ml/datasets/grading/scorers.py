"""What judges an open answer, by the name that the parameter ``scorer`` gives it."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache, partial

from argo_ml.config.grading import AUTO, ENTRY_POINTS, F1, NUMERIC, parse_scorer
from argo_ml.datasets.grading.matching import contains, exact_match, occurs, token_f1
from argo_ml.datasets.grading.tokens import ARTICLES, Token, tokenize
from argo_ml.datasets.grading.verdicts import said_verdict, verdict_of
from argo_ml.errors import ConfigError, one_line
from argo_ml.plugins import PartTable

Scorer = Callable[[str, Sequence[str]], bool]
"""Whether an answer is right, given its text and the gold answers."""

_FUNCTION_WORDS = ARTICLES | frozenset(
    {"i", "it", "us", "who", "he", "him", "she", "her", "me", "we", "you", "they", "them"}
    | {"is", "am", "are", "be", "in", "on", "at", "or", "so", "as", "to", "by", "of", "if"}
    | {"that", "this", "what"}
)
"""Words that stand in answers of every kind, and are seldom meant where they stand."""

_STATED = re.compile(r"\b(?:answer|result|total)\b", re.IGNORECASE)


@lru_cache(maxsize=100)
def scorer_named(given: str) -> Scorer:
    """Raises `ConfigError` for what is no scorer and for a function that cannot be imported."""
    try:
        name = parse_scorer(given)
    except ValueError as error:
        raise ConfigError(f"scorer={given}: {error}") from None
    if name.is_plugin:
        return partial(_judged_by, given, PLUGINS[given])
    if name.is_function:
        return partial(_judged_by, given, _function(given))
    return _BUILT_IN[name.name](name.number)


def _auto(answer: str, golds: Sequence[str]) -> bool:
    return any(_auto_one(answer, gold) for gold in golds)


def _auto_one(answer: str, gold: str) -> bool:
    """By verdict for yes and no, by containment for the rest.

    Gold answers that are function words ("It", "A", "WHO") count where they end a phrase, or where
    they are in capitals.
    """
    verdict = verdict_of(gold)
    if verdict is not None:
        return bool(exact_match(answer, [gold])) or said_verdict(answer) is verdict
    is_common = all(token.text in _FUNCTION_WORDS for token in tokenize(gold))
    return occurs(answer, gold, _is_meant if is_common else bool)


def _is_meant(tokens: Sequence[Token]) -> bool:
    capitals = all(len(token.raw) > 1 and token.raw.isupper() for token in tokens)
    return capitals or tokens[-1].ends_phrase


def _exact(answer: str, golds: Sequence[str]) -> bool:
    return bool(exact_match(answer, golds))


def _contains(answer: str, golds: Sequence[str]) -> bool:
    return bool(contains(answer, golds))


def _by_f1(threshold: float, answer: str, golds: Sequence[str]) -> bool:
    return token_f1(answer, golds) >= threshold > 0.0 or _exact(answer, golds)


def _numeric(tolerance: float, answer: str, golds: Sequence[str]) -> bool:
    """Whether the number that the answer gives is near that of a gold one.

    It is the first number after the last "answer", "result" or "total", else the last number. Gold
    answers without a number are judged by ``auto``.
    """
    stated = [match.end() for match in _STATED.finditer(answer)]
    after = _numbers(answer[stated[-1] :]) if stated else []
    given = after[:1] or _numbers(answer)[-1:]
    for gold in golds:
        wanted = _numbers(gold)
        if not wanted and _auto_one(answer, gold):
            return True
        if wanted and given and abs(given[0] - wanted[0]) <= Fraction(tolerance) * abs(wanted[0]):
            return True
    return False


def _numbers(text: str) -> list[Fraction]:
    return [token.value for token in tokenize(text) if token.value is not None]


_BUILT_IN: Mapping[str, Callable[[float], Scorer]] = {
    AUTO: lambda _: _auto,
    "exact": lambda _: _exact,
    "contains": lambda _: _contains,
    F1: lambda threshold: partial(_by_f1, threshold),
    NUMERIC: lambda tolerance: partial(_numeric, tolerance),
}


PLUGINS: PartTable[Scorer] = PartTable(ENTRY_POINTS, "scorer", {}, callable)
"""Scorers of other installed packages."""


def _function(given: str) -> Scorer:
    try:
        function: Scorer = pkgutil.resolve_name(given)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"scorer={given}: {one_line(error)}; give a function that Python can import, such as "
            "one of an installed package or of a folder in PYTHONPATH"
        ) from None
    if not callable(function):
        raise ConfigError(f"scorer={given}: is no function of an answer and its gold answers")
    return function


def _judged_by(given: str, function: Scorer, answer: str, golds: Sequence[str]) -> bool:
    try:
        return bool(function(answer, golds))
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ConfigError(f"scorer={given}: failed on the answer {answer!r} ({reason})") from error
