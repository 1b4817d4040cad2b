"""Which characters make words, in scripts that put spaces between them and in others."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import groupby

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul, whose particles join the word
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3040, 0x31FF),  # Kana, Bopomofo, Hangul
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Code points of scripts that put no space between a word and what goes on after it."""

_MARKS_UP_TO = 0x1EFFF
"""Beyond it are selectors of variants alone."""


def _in_class(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges)


UNSPACED = _in_class(_UNSPACED)
"""The characters of such scripts, within the brackets of a regular expression."""


def is_unspaced(char: str) -> bool:
    code = ord(char)
    return any(low <= code <= high for low, high in _UNSPACED)


@lru_cache(maxsize=1)
def marks() -> str:
    r"""Accents and vowel signs that are characters of their own, which ``\w`` leaves out, within
    the brackets of a regular expression."""
    codes = [code for code in range(_MARKS_UP_TO) if unicodedata.category(chr(code))[0] == "M"]
    runs = [list(run) for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])]
    return _in_class(tuple((run[0][1], run[-1][1]) for run in runs))


@lru_cache(maxsize=2)
def word_pattern(without: str = "") -> str:
    """Letters and digits with their marks, but for those that are ``without``."""
    letters = rf"[^\W_{without}]+"
    return f"{letters}(?:[{marks()}]+(?:{letters})?)*"
