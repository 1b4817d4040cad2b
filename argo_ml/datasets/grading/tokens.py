"""The words, numbers and letters of unspaced scripts that a text is made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from argo_ml.datasets.grading.characters import LETTER, UNSPACED, folded, readable, shape
from argo_ml.datasets.grading.numbers import number_at

ARTICLES = frozenset({"a", "an", "the"})

_WORD = re.compile(r"a[a0]*(?:['._@&-][a0]+)*")
_JOINT = re.compile(r"(?<!\d)['._@&-]|['._@&-](?!\d)")
_POSSESSIVE = re.compile(r"'[sS]$")
# Symbols that belong to the word before them: C++, C#, A+, O-.
_TAIL = re.compile(r"(?:\+\+|#)(?!\w)")
_SIGN_TAIL = re.compile(r"[+-](?!\w)")
_DOT_NET = re.compile(r"(?<!\w)\.net(?!\w)", re.IGNORECASE)
_AMPERSAND = re.compile(r"(?<=\s)&(?=\s)")


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a number; ``text`` is what is compared and ``raw`` what was written.

    ``value`` is a number's, ``stem`` a word without its possessive ending. ``ends_phrase`` says
    whether punctuation or nothing follows, ``opens_phrase`` whether it or nothing stands before.
    """

    text: str
    raw: str
    value: Fraction | None = None
    mark: str = ""
    stem: str = ""
    opens_phrase: bool = False
    ends_phrase: bool = False


@lru_cache(maxsize=1_000)
def tokenize(text: str) -> tuple[Token, ...]:
    """All tokens, articles among them."""
    plain = readable(text)
    shaped = shape(plain)
    tokens: list[Token] = []
    position = 0
    while position < len(plain):
        token, end = _token_at(plain, shaped, position)
        if token is not None:
            tokens.append(token)
        position = end
    return tuple(tokens)


def without_articles(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens but articles; all of them where nothing else is there.

    An A within a phrase is a letter: vitamin A.
    """
    kept = tuple(token for token in tokens if not _is_article(token))
    return kept or tuple(tokens)


def _is_article(token: Token) -> bool:
    return token.text in ARTICLES and (token.raw != "A" or token.opens_phrase)


def _token_at(plain: str, shaped: str, start: int) -> tuple[Token | None, int]:
    """The token that begins at ``start``, None for what is none, and where to go on."""
    if number := number_at(plain, start):
        raw, place = plain[start : number.end], _place(plain, start, number.end)
        return Token(number.text, raw, number.value, number.mark, "", *place), number.end
    if shaped[start] == UNSPACED:
        return Token(folded(plain[start]), plain[start]), start + 1
    if shaped[start] == LETTER:
        return _word_at(plain, shaped, start)
    if match := _DOT_NET.match(plain, start) or _AMPERSAND.match(plain, start):
        text, place = "and" if match[0] == "&" else folded(match[0]), _place(plain, *match.span())
        return Token(text, match[0], None, "", "", *place), match.end()
    return None, start + 1


def _word_at(plain: str, shaped: str, start: int) -> tuple[Token, int]:
    match = _WORD.match(shaped, start)
    assert match is not None
    word, end = plain[start : match.end()], match.end()
    tail = _TAIL.match(plain, end) or (_SIGN_TAIL.match(plain, end) if len(word) <= 2 else None)
    symbols = tail[0] if tail else ""
    stem = _POSSESSIVE.sub("", word)
    end += len(symbols)
    text = folded(_JOINT.sub("", word) + symbols)
    stem = "" if stem == word else folded(_JOINT.sub("", stem))
    return Token(text, word + symbols, None, "", stem, *_place(plain, start, end)), end


def _place(plain: str, start: int, end: int) -> tuple[bool, bool]:
    """Whether what stands between them opens a phrase, and whether it ends one."""
    before, after = plain[:start].rstrip(" \"'*(["), plain[end:].lstrip(" \"'*")
    opens_phrase = not before or not (before[-1].isalnum() or before[-1] in ",-")
    ends_phrase = not after or not (after[0].isalnum() or plain[end] == "-")
    return opens_phrase, ends_phrase
