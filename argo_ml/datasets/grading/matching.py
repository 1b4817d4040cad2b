"""Containment, exact match and token F1 of a text and the gold ones, on the same tokens.

The measures are SQuAD's (Rajpurkar et al., 2016) and FlashRAG's ``acc``; its normalisation of lower
case, articles and punctuation is kept where it says the same, and numbers, units, signs, symbols
and scripts are read as a person reads them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from argo_ml.datasets.grading.characters import folded, readable
from argo_ml.datasets.grading.tokens import Token, tokenize, without_articles

_CLOSED_ANSWERS = frozenset({"yes", "no", "noanswer"})
_SENTENCE_MARKS = ".,;:!?\"'()[]"

Occurs = Callable[[Sequence[Token]], bool]
"""Whether the tokens that spell a gold answer stand for it where they occur."""

_N_KEPT = 1_000
"""Comparisons that are remembered: the measures of one answer ask for the same ones."""


@lru_cache(maxsize=_N_KEPT)
def normalize(text: str) -> str:
    """Lower case, no punctuation, no articles, numbers in one spelling, single spaces.

    A text of which nothing would be left ("A", "+") stays as it is, in lower case.
    """
    tokens = without_articles(tokenize(text))
    return " ".join(token.text for token in tokens) or folded(readable(text).strip())


def exact_match(prediction: str, answers: Iterable[str]) -> float:
    return float(any(_is_whole(prediction, answer) for answer in answers))


def contains(prediction: str, answers: Iterable[str]) -> float:
    """Whether an answer stands in the prediction, as whole words and numbers: no 4 in 14.

    Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese words have no ends to look for.
    """
    return float(any(occurs(prediction, answer) for answer in answers))


def token_f1(prediction: str, answers: Iterable[str]) -> float:
    """Harmonic mean of token precision and recall; "yes" and "no" match exactly or not at all."""
    return max((_token_f1(prediction, answer) for answer in answers), default=0.0)


@lru_cache(maxsize=_N_KEPT)
def occurs(prediction: str, answer: str, is_meant: Occurs = bool) -> bool:
    """Whether ``answer`` stands in the prediction, somewhere where ``is_meant`` of its tokens."""
    if _is_whole(prediction, answer):
        return True
    if not tokenize(answer):
        return _stands_alone(prediction, folded(readable(answer).strip()))
    return any(
        is_meant(tokens[start:end])
        for gold, tokens in _readings(prediction, answer)
        for start in range(len(tokens))
        if (end := _end_of_match(gold, tokens, start)) is not None
    )


@lru_cache(maxsize=_N_KEPT)
def _is_whole(prediction: str, answer: str) -> bool:
    if not tokenize(answer):
        return normalize(prediction) == normalize(answer)
    return any(
        _end_of_match(gold, tokens, 0) == len(tokens)
        for gold, tokens in _readings(prediction, answer)
    )


def _readings(
    prediction: str, answer: str
) -> Iterator[tuple[list[Token | str], tuple[Token, ...]]]:
    """Gold segments and predicted tokens, both without articles, then both with them."""
    gold, tokens = tokenize(answer), tokenize(prediction)
    yield _segments(without_articles(gold)), without_articles(tokens)
    yield _segments(gold), tokens


def _segments(tokens: Sequence[Token]) -> list[Token | str]:
    """Numbers one by one, and words between them as one text: New York is New-York."""
    segments: list[Token | str] = []
    for token in tokens:
        if token.value is not None:
            segments.append(token)
        elif segments and isinstance(segments[-1], str):
            segments[-1] += token.text
        else:
            segments.append(token.text)
    return segments


def _end_of_match(
    segments: Sequence[Token | str], tokens: Sequence[Token], start: int
) -> int | None:
    """Where the tokens from ``start`` on have spelt all segments; None where they do not."""
    position: int | None = start
    for segment in segments:
        if position is None or position >= len(tokens):
            return None
        if isinstance(segment, Token):
            position = position + 1 if _same_number(segment, tokens[position]) else None
        else:
            position = _end_of_words(segment, tokens, position)
    return position


def _end_of_words(words: str, tokens: Sequence[Token], start: int) -> int | None:
    spelt = ""
    for position in range(start, len(tokens)):
        token = tokens[position]
        if token.value is not None:
            return None
        if token.stem and spelt + token.stem == words:
            return position + 1
        spelt += token.text
        if spelt == words:
            return position + 1
        if not words.startswith(spelt):
            return None
    return None


def _same_number(gold: Token, token: Token) -> bool:
    """Equal values; a currency or "%" that one of them leaves out is no difference."""
    agrees = not gold.mark or not token.mark or gold.mark == token.mark
    return gold.value == token.value and agrees


def _stands_alone(prediction: str, symbols: str) -> bool:
    """Whether symbols without a word, such as "+", stand between spaces and punctuation."""
    parts = folded(readable(prediction)).split()
    return bool(symbols) and any(symbols in (part, part.strip(_SENTENCE_MARKS)) for part in parts)


def _token_f1(prediction: str, answer: str) -> float:
    predicted, gold = normalize(prediction), normalize(answer)
    if predicted != gold and _CLOSED_ANSWERS & {predicted, gold}:
        return 0.0
    predicted_tokens, gold_tokens = predicted.split(), gold.split()
    n_common = (Counter(predicted_tokens) & Counter(gold_tokens)).total()
    if n_common == 0:
        return 0.0
    return 2 * n_common / (len(predicted_tokens) + len(gold_tokens))
