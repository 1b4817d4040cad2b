"""Characters that nobody sees, that separate words in a way of their own, or that are another
spelling of letters, made plain."""

from __future__ import annotations

import re
import unicodedata

_SOFT_HYPHEN_AT_END = re.compile("\u00ad\n[ \t]*")
_LINE_BREAK = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_SPACE = re.compile("[^\\S\n ]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u180e\u200b]")
"""White space of every script, control characters and the zero-width space."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INVISIBLE = re.compile("[\u00ad\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Soft hyphens, marks of direction and what forbids a line break: within words and around them."""

_SAME = {
    code: unicodedata.normalize("NFKC", chr(code))
    for first, last in ((0xFB00, 0xFB06), (0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))
    for code in range(first, last + 1)
}
"""Ligatures, as fonts of PDFs have them, and letters and digits as wide as a Chinese character."""

_HALF_SURROGATE = re.compile("[\ud800-\udfff]")


def plain_text(text: str) -> str:
    """The text with plain spaces and line ends, without invisible characters, in `one_spelling`."""
    text = _SOFT_HYPHEN_AT_END.sub("", text)
    text = _SPACE.sub(" ", _LINE_BREAK.sub("\n", text))
    return one_spelling(_HALF_SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text)))


def one_spelling(text: str) -> str:
    """The text with one spelling of letters that have several: NFC, without ligatures.

    It is not NFKC, which makes 102 of 10².
    """
    return unicodedata.normalize("NFC", text.translate(_SAME))


def plain_line(text: str) -> str:
    return " ".join(plain_text(text).split())


def without_control_characters(text: str) -> str:
    return _CONTROL.sub(" ", text)


def has_half_surrogate(text: str) -> bool:
    """Whether the text cannot be written as UTF-8."""
    return _HALF_SURROGATE.search(text) is not None
